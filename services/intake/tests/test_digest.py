"""Once a week each department gets what was suggested to it (I-14; 002 七(四)2)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from shouwen.contracts.casework import SuggestionDigested
from shouwen.intake.domain.digest import latest_monday
from shouwen.intake.handlers.digest import make_due_digests
from shouwen.runtime.testing import Running

Body = dict[str, Any]
SHANGHAI = "Asia/Shanghai"


@pytest.mark.req("I-14")
@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-23T08:00", "2026-11-23T08:00"),  # a Monday, at the hour itself
        ("2026-11-23T07:59", "2026-11-16T08:00"),
        ("2026-11-29T23:59", "2026-11-23T08:00"),  # the Sunday after
        ("2027-01-01T12:00", "2026-12-28T08:00"),
    ],
)
def test_digests_are_due_on_mondays_at_eight_by_the_clock_of_the_branch(now: str, due: str) -> None:
    zone = ZoneInfo(SHANGHAI)
    found = latest_monday(datetime.fromisoformat(now).replace(tzinfo=zone).astimezone(UTC), SHANGHAI)
    assert found == datetime.fromisoformat(due).replace(tzinfo=zone)


@pytest.fixture
def suggest(register: Any, matter: Callable[..., Body]) -> Callable[..., Any]:
    """Registers a suggestion for a department."""

    async def post(department: str, **other: Any) -> Body:
        answer = await register(matter(type="suggestion", department=department, **other))
        assert answer.status_code == 201, answer.text
        return answer.json()

    return post


async def digests(intake: Running, **query: str) -> list[Body]:
    answer = await intake.http.get(
        "/api/suggestions/digests", params=query, headers=intake.token("bj.manager", ["beijing"], ["manager"])
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def make(intake: Running, person: str = "bj.manager", role: str = "manager") -> httpx.Response:
    return await intake.http.post(
        "/api/suggestions/digests",
        json={"branch": "beijing"},
        headers=intake.token(person, ["beijing"], [role]),
    )


@pytest.mark.req("I-14")
async def test_each_department_gets_its_suggestions_in_one_digest_and_each_goes_into_one(
    intake: Running, suggest: Any
) -> None:
    first, second = await suggest("digest-wages"), await suggest("digest-wages", subject="建议增设自助机")
    other = await suggest("digest-hall")
    assert (await make(intake)).status_code == 201

    [wages] = await digests(intake, department="digest-wages")
    assert (wages["suggestions"], wages["made_by"]) == (2, "bj.manager")
    [hall] = await digests(intake, department="digest-hall")
    shown = await intake.http.get(
        f"/api/suggestions/digests/{wages['id']}", headers=intake.token("bj.manager", ["beijing"], ["manager"])
    )
    assert [each["number"] for each in shown.json()["items"]] == [first["number"], second["number"]]
    assert shown.json()["items"][1]["subject"] == "建议增设自助机"
    for case, department in ((first, "digest-wages"), (second, "digest-wages"), (other, "digest-hall")):
        [fact] = await intake.emitted(SuggestionDigested, subject=f"case/{case['id']}")
        assert fact.data.department == department

    assert (await make(intake)).json()["items"] == [], "nothing was suggested since"
    assert [each["id"] for each in await digests(intake, department="digest-hall")] == [hall["id"]]


@pytest.mark.req("I-14")
async def test_a_digest_gives_a_department_its_suggestions_by_category(
    intake: Running, suggest: Any, register: Any, matter: Callable[..., Body], send: Any
) -> None:
    cases = [await suggest("digest-sorted") for _ in range(4)]
    for case, category in zip(cases, ("self-service", "opening-hours", "self-service"), strict=False):
        await send.good(case, "category", "bj.clerk2", category=category)
    await send.good(cases[1], "category", "bj.clerk", category="queues")
    shown = await intake.http.get(f"/api/cases/{cases[1]['number']}", headers=send.headers("bj.clerk"))
    assert shown.json()["category"] == "queues"
    by_category = [
        {"category": "queues", "suggestions": 1},
        {"category": "self-service", "suggestions": 2},
        {"category": None, "suggestions": 1},
    ]
    [made] = [each for each in (await make(intake)).json()["items"] if each["department"] == "digest-sorted"]
    assert (made["suggestions"], made["categories"]) == (4, by_category)
    [listed] = await digests(intake, department="digest-sorted")
    assert listed["categories"] == by_category

    path, headers = f"/api/suggestions/digests/{made['id']}", send.headers("bj.manager")
    one = (await intake.http.get(path, params={"category": "self-service"}, headers=headers)).json()
    assert [each["number"] for each in one["items"]] == [cases[0]["number"], cases[2]["number"]]
    whole = (await intake.http.get(path, headers=headers)).json()
    assert [each["category"] for each in whole["items"]] == ["self-service", "queues", "self-service", None]

    complaint = (await register(matter())).json()
    refused = await send(complaint, "category", "bj.clerk", category="queues")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_sort")


@pytest.mark.req("I-14")
async def test_on_mondays_what_came_in_before_is_digested_by_itself(intake: Running, suggest: Any) -> None:
    before = latest_monday(datetime.now(UTC), SHANGHAI)
    old = await suggest("digest-monday", received_at=before.replace(hour=7).isoformat(), channel="letter")
    fresh = await suggest("digest-after-monday")
    async with intake.service.work.as_worker() as tx:
        await make_due_digests(tx, 100)

    [made] = await digests(intake, department="digest-monday")
    assert (made["suggestions"], made["made_by"]) == (1, None)
    [fact] = await intake.emitted(SuggestionDigested, subject=f"case/{old['id']}")
    assert fact.data.number == old["number"]
    assert await digests(intake, department="digest-after-monday") == [], fresh


@pytest.mark.req("X-06")
async def test_digests_are_made_by_who_directs_and_seen_in_the_branch_alone(intake: Running, suggest: Any) -> None:
    await suggest("digest-private")
    refused = await make(intake, "bj.clerk", "clerk")
    assert refused.status_code == 403
    await make(intake)
    [made] = await digests(intake, department="digest-private")
    elsewhere = intake.token("cd.manager", ["chengdu"], ["manager"])
    assert (await intake.http.get(f"/api/suggestions/digests/{made['id']}", headers=elsewhere)).status_code == 404
    listed = await intake.http.get("/api/suggestions/digests", headers=elsewhere)
    assert made["id"] not in listed.text
