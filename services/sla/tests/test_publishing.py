"""Packs are published while the service runs: versions follow one another, branches refine, nothing gets looser."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import jsonschema
import pytest
import yaml

from shouwen.contracts.case import CaseRegistered, CaseResolved
from shouwen.contracts.clock import ClockRecalculated
from shouwen.contracts.directory import BranchDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.runtime.testing import Running
from shouwen.sla import gateways
from shouwen.sla.domain.composition import EVER_SINCE, FOR_EVER, PackVersion, bind
from shouwen.sla.domain.instant import day_start, micros
from shouwen.sla.domain.pack import Pack
from shouwen.sla.domain.pack_file import read_pack

ZONE = ZoneInfo("Asia/Shanghai")
RULES = """\
pack: {name}
version: {version}
effective_from: 2026-01-01
title: 分公司规范
running: {running}
policies:
  complaint:
    start: {{event: case.registered.v1, at: received_at, when: {{case_type: complaint}}}}
    stop: case.resolved.v1
    targets:
      {target}: {{limit: {limit}, unit: {unit}{more}, clause: 分公司规范 §3}}
"""


def rules(
    name: str,
    version: int = 1,
    limit: int = 5,
    unit: str = "working_days",
    running: str = "keep",
    target: str = "resolution",
    more: str = "",
) -> str:
    return RULES.format(
        name=name, version=version, limit=limit, unit=unit, running=running, target=target, more=more and f", {more}"
    )


async def describe(sla: Running, branch: str, *packs: str) -> None:
    described = BranchDescribed(branch=branch, name=branch, number_prefix="QA", packs=packs)
    await sla.hears(CloudEvent.of(described, source="/shouwen/intake"))


def complaint(branch: str, received_at: datetime | None = None) -> CloudEvent[CaseRegistered]:
    at = received_at or datetime.now(UTC)
    return CloudEvent.of(
        CaseRegistered(
            branch=branch,
            case_id=uuid4(),
            number="QA-2026-000001",
            case_type="complaint",
            channel="phone",
            received_at=at,
            registered_at=at,
            registrar="clerk.wang",
            severity=None,
            promised_at=None,
            owner="clerk.wang",
        ),
        source="/shouwen/intake",
    )


def resolved(case: CloudEvent[CaseRegistered]) -> CloudEvent[CaseResolved]:
    return CloudEvent.of(
        CaseResolved(
            branch=case.data.branch,
            case_id=case.data.case_id,
            number=case.data.number,
            resolved_at=case.data.received_at + timedelta(minutes=5),
            resolved_by="clerk.wang",
        ),
        source="/shouwen/intake",
    )


def group(sla: Running) -> dict[str, str]:
    return sla.token(person="group.admin", branches=(), roles=("group_admin",))


def general(sla: Running, branch: str) -> dict[str, str]:
    return sla.token(person="qa.general", branches=(branch,), roles=("general_manager",))


async def post(
    sla: Running, path: str, text: str, headers: dict[str, str], branch: str | None = None, **parameters: Any
) -> httpx.Response:
    asked = {**parameters, **({} if branch is None else {"branch": branch})}
    return await sla.http.post(
        f"/api/{path}", params=asked, content=text, headers={**headers, "Content-Type": "application/yaml"}
    )


async def publish(sla: Running, text: str, branch: str | None = None) -> dict[str, Any]:
    answer = await post(sla, "packs", text, group(sla), branch)
    assert answer.status_code == 201, answer.text
    for number in answer.json()["recalculations"]:
        await is_recalculated(sla, number)
    return answer.json()


async def is_recalculated(sla: Running, number: int) -> None:
    async def problem() -> str | None:
        answer = await sla.http.get("/api/recalculations", params={"limit": 200}, headers=group(sla))
        [found] = [item for item in answer.json()["items"] if item["id"] == number]
        return None if found["done_at"] else f"recalculation {number} is at {found}"

    await sla.until_none(problem)


async def clock(sla: Running, case: CloudEvent[Any], target: str = "resolution") -> dict[str, Any]:
    answer = await sla.http.get("/api/clocks", params={"subject": case.subject}, headers=group(sla))
    [found] = [item for item in answer.json()["items"] if item["target"] == target]
    return found


async def detail(sla: Running, case: CloudEvent[Any], target: str = "resolution") -> dict[str, Any]:
    found = await clock(sla, case, target)
    answer = await sla.http.get(f"/api/clocks/{found['id']}", headers=group(sla))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.req("S-01")
async def test_running_clocks_keep_the_version_they_started_under(sla: Running) -> None:
    await publish(sla, rules("keeping", limit=40, unit="calendar_hours", target="call_back"))
    await describe(sla, "keeping", "keeping")
    before = complaint("keeping")
    await sla.hears(before)
    assert (await detail(sla, before, "call_back"))["pack_version"] == 1
    await publish(sla, rules("keeping", 2, limit=20, unit="calendar_hours", target="call_back"))
    after = complaint("keeping")
    await sla.hears(after)
    kept, new = await detail(sla, before, "call_back"), await detail(sla, after, "call_back")
    assert (kept["pack_version"], kept["limit_seconds"]) == (1, 40 * 3600)
    assert (new["pack_version"], new["limit_seconds"]) == (2, 20 * 3600)
    # Also when more is heard of the old one.
    await sla.hears(resolved(before))
    kept = await detail(sla, before, "call_back")
    assert (kept["pack_version"], kept["state"], kept["limit_seconds"]) == (1, "completed", 40 * 3600)


@pytest.mark.req("S-01")
async def test_running_clocks_move_to_a_version_that_says_so_and_ended_ones_do_not(sla: Running) -> None:
    await publish(sla, rules("moving", limit=40, unit="calendar_hours", target="call_back"))
    await describe(sla, "moving", "moving")
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    running, ended = complaint("moving", an_hour_ago), complaint("moving", an_hour_ago)
    await sla.hears(running, ended, resolved(ended))
    await publish(sla, rules("moving", 2, limit=20, unit="calendar_hours", target="call_back", running="move"))
    moved = await detail(sla, running, "call_back")
    assert (moved["pack_version"], moved["limit_seconds"]) == (2, 20 * 3600)
    events = [e.data for e in await sla.emitted(ClockRecalculated) if e.data.timed_subject == running.subject]
    assert [event.previous_due_at - event.due_at for event in events] == [timedelta(hours=20)]
    still = await detail(sla, ended, "call_back")
    assert (still["pack_version"], still["limit_seconds"]) == (1, 40 * 3600)
    await publish(sla, rules("moving", 3, limit=5, unit="calendar_hours", target="visit", running="move"))
    gone = await clock(sla, running, "call_back")
    assert gone["state"] == "cancelled", "the version that running clocks move to has no such target"


@pytest.mark.req("S-18", "S-01", "S-02")
async def test_a_branch_refines_the_baseline_and_takes_from_it_what_it_does_not_say(sla: Running) -> None:
    await describe(sla, "refining")
    before = complaint("refining")
    await sla.hears(before)
    answer = await post(sla, "packs", rules("refining-own"), general(sla, "refining"), "refining")
    assert answer.status_code == 201, answer.text
    after = complaint("refining")
    await sla.hears(before, after)
    kept, new = await detail(sla, before), await detail(sla, after)
    assert (kept["pack"], new["pack"]) == ("group-baseline", "refining-own")
    assert kept["limit_seconds"] == 2 * new["limit_seconds"]
    roles = [[(firing["kind"], firing["role"]) for firing in each["firings"]] for each in (kept, new)]
    assert roles[0] == roles[1], "warnings and escalation are the baseline's"
    await sla.hears(resolved(before), resolved(after))
    assert {(await clock(sla, each))["state"] for each in (before, after)} == {"completed"}


@pytest.mark.req("S-18")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"limit": 11}, "limit"),
        ({"limit": 14, "unit": "calendar_days"}, "limit"),
        ({"limit": 400, "unit": "calendar_hours"}, "limit"),
        ({"limit": 81, "unit": "working_hours"}, "limit"),
        ({"more": "warn_at: []"}, "warn_at"),
        ({"limit": 9, "more": "warn_at: [90%, 95%]"}, "warn_at"),
        ({"limit": 9, "more": "escalate: []"}, "escalate"),
        ({"limit": 9, "more": "pausable: [awaiting_weather]"}, "pausable"),
        ({"limit": 9, "more": "stop: case.replied.v1"}, "stop"),
        ({"limit": 9, "more": "start: {event: case.registered.v1, at: registered_at}"}, "start"),
    ],
)
async def test_a_branch_may_not_promise_less_than_the_baseline_in_any_way(
    sla: Running, changes: dict[str, Any], field: str
) -> None:
    answer = await post(sla, "packs", rules("looser-own", **changes), general(sla, "chengdu-two"), "chengdu-two")
    assert answer.status_code == 404, "the branch has to be there"
    # chengdu composes talent-centre, whose 24 hours bind; beijing's complaints are resolved by the baseline.
    answer = await post(sla, "packs", rules("looser-own", **changes), general(sla, "beijing"), "beijing")
    assert answer.status_code == 409, answer.text
    problem = answer.json()
    assert (problem["code"], problem["clause"]) == ("looser_than_required", "suite default (000 §16)")
    fields = [error["field"].removeprefix("policies.complaint.targets.resolution.") for error in problem["errors"]]
    assert any(each.startswith(field) for each in fields), fields
    if field == "limit":
        start, due, required = (problem[name] for name in ("starts_at", "due_at", "required_due_at"))
        assert start < required < due, "a case that shows it"
        assert all(each in problem["errors"][0]["problem"] for each in (start, due, required))
    versions = await sla.http.get("/api/packs/looser-own/versions", headers=group(sla))
    assert versions.status_code == 404, "nothing was published"


@pytest.mark.req("S-18")
async def test_a_pack_that_the_branch_composes_binds_it_too(sla: Running) -> None:
    own = rules("chengdu-own", limit=30, unit="calendar_hours")
    answer = await post(sla, "packs", own, general(sla, "chengdu"), "chengdu")
    assert (answer.status_code, answer.json().get("clause")) == (409, "001 §20")
    answer = await post(sla, "packs/dry-run", own, general(sla, "chengdu"), "chengdu")
    assert answer.status_code == 409
    own = rules("chengdu-own", limit=20, unit="calendar_hours")
    assert (await post(sla, "packs", own, general(sla, "chengdu"), "chengdu")).status_code == 201


@pytest.mark.req("S-18")
async def test_the_group_cannot_tighten_its_baseline_past_a_branch_unnoticed(sla: Running) -> None:
    await describe(sla, "tight")
    await publish(sla, rules("tight-own", limit=8), "tight")
    text = next(
        file for file in (gateways.text_of(path, "pack") for path in _pack_files()) if "pack: group-baseline" in file
    )
    tighter = text.replace("version: 1", "version: 2", 1).replace("limit: 10", "limit: 6", 1)
    answer = await post(sla, "packs", tighter, group(sla))
    assert answer.status_code == 409, answer.text
    assert "tight-own" not in answer.json().get("due_at", "")
    await publish(sla, rules("tight-own", 2, limit=6), "tight")
    assert (await post(sla, "packs/validate", tighter, group(sla))).status_code == 200


def _pack_files() -> list[Any]:
    from importlib import resources

    return list((resources.files("shouwen.sla") / "packs").iterdir())


@pytest.mark.req("S-01")
async def test_a_dry_run_tells_what_would_breach_and_what_would_move_and_changes_nothing(sla: Running) -> None:
    await publish(sla, rules("trying", limit=40, unit="calendar_hours", target="call_back"))
    await describe(sla, "trying", "trying")
    now = datetime.now(UTC)
    old = [complaint("trying", now - timedelta(hours=30)) for _ in range(2)]
    young = [complaint("trying", now) for _ in range(3)]
    ended = complaint("trying", now)
    await sla.hears(*old, *young, ended, resolved(ended))
    change = rules("trying", 2, limit=20, unit="calendar_hours", target="call_back")
    seen: list[dict[str, Any]] = []
    pages: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        answer = await post(sla, "packs/dry-run", change, group(sla), limit=2, **after)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        seen += [item for item in answer.json()["items"] if item["branch"] == "trying"]
        if answer.json()["next"] is None:
            break
        after = {"after": answer.json()["next"]}
    assert pages[0]["running"] == "keep"
    effects = {item["subject"]: item["effect"] for item in seen}
    assert effects == {**{each.subject: "breaches" for each in old}, **{each.subject: "moves" for each in young}}
    assert sum(page["breaches"] for page in pages) == 2
    assert sum(page["moves"] for page in pages) == 3
    moved = next(item for item in seen if item["effect"] == "moves")
    gap = datetime.fromisoformat(moved["due_at"]) - datetime.fromisoformat(moved["new_due_at"])
    assert gap == timedelta(hours=20)
    assert (await detail(sla, old[0], "call_back"))["limit_seconds"] == 40 * 3600
    assert not (await clock(sla, old[0], "call_back"))["breached"]
    versions = await sla.http.get("/api/packs/trying/versions", headers=group(sla))
    assert [item["version"] for item in versions.json()["items"]] == [1]


async def test_a_branch_s_dry_run_shows_its_own_clocks_alone(sla: Running) -> None:
    await describe(sla, "own-trial")
    await describe(sla, "other-trial")
    mine, theirs = complaint("own-trial"), complaint("other-trial")
    await sla.hears(mine, theirs)
    answer = await post(sla, "packs/dry-run", rules("trial-own"), general(sla, "own-trial"), "own-trial")
    assert answer.status_code == 200, answer.text
    assert {item["subject"] for item in answer.json()["items"]} == {mine.subject}
    assert (answer.json()["moves"], answer.json()["next"]) == (1, None)


async def test_packs_are_published_by_those_who_may(sla: Running) -> None:
    text = rules("nobody-s", target="visit").replace("nobody-s", "nobodys")
    manager = sla.token(branches=("beijing",), roles=("manager",))
    assert (await post(sla, "packs", text, manager, "beijing")).status_code == 403
    assert (await post(sla, "packs", text, general(sla, "beijing"))).status_code == 403
    assert (await post(sla, "packs", text, general(sla, "beijing"), "chengdu")).status_code == 403
    assert (await post(sla, "packs", text, {})).status_code == 401
    assert (await post(sla, "packs", text, general(sla, "beijing"), "beijing")).status_code == 201
    mine = await sla.http.get("/api/packs/nobodys/versions", headers=general(sla, "beijing"))
    [version] = mine.json()["items"]
    assert (version["branch"], version["version"], version["published_at"] is not None) == ("beijing", 1, True)
    theirs = await sla.http.get("/api/packs/nobodys/versions", headers=general(sla, "chengdu"))
    assert theirs.status_code == 404
    listed = await sla.http.get("/api/packs", params={"limit": 200}, headers=general(sla, "chengdu"))
    assert "nobodys" not in {item["pack"] for item in listed.json()["items"]}


async def test_versions_follow_one_another(sla: Running) -> None:
    text = rules("following", target="visit")
    first = await publish(sla, text)
    again = await publish(sla, text)
    assert again["published_at"] == first["published_at"], "the same again changes nothing"
    for wrong, status, field in (
        (rules("following", 1, limit=4, target="visit"), 422, "version"),
        (rules("following", 2, target="visit").replace("2026-01-01", "2025-01-01"), 422, "effective_from"),
        (rules("following", 2, unit="weeks", target="visit"), 422, "policies.complaint.targets.visit.unit"),
        ("", 422, "file"),
    ):
        answer = await post(sla, "packs", wrong, group(sla))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field), answer.text
    taken = await post(sla, "packs", rules("following", 2, target="visit"), general(sla, "beijing"), "beijing")
    assert (taken.status_code, taken.json()["code"]) == (409, "pack_name_taken")
    await publish(sla, rules("following", 2, limit=4, target="visit"))
    seen: list[int] = []
    after: dict[str, str] = {}
    while True:
        answer = await sla.http.get("/api/packs/following/versions", params={"limit": 1, **after}, headers=group(sla))
        seen += [item["version"] for item in answer.json()["items"]]
        if answer.json()["next"] is None:
            break
        after = {"after": answer.json()["next"]}
    assert seen == [1, 2]


@pytest.mark.req("S-01")
async def test_editors_get_a_schema_that_the_shipped_packs_keep(sla: Running) -> None:
    schema = (await sla.http.get("/api/packs/schema")).json()
    validator = jsonschema.Draft202012Validator(schema)
    for file in _pack_files():
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert validator.is_valid({**content, "effective_from": str(content["effective_from"])}), file.name
    assert not validator.is_valid({"pack": "x"})


@pytest.mark.req("S-18", "S-02")
async def test_the_example_of_the_docs_can_be_published(sla: Running) -> None:
    text = (Path(__file__).parents[3] / "docs/snippets/branch-pack.yaml").read_text(encoding="utf-8")
    await describe(sla, "example")
    answer = await post(sla, "packs", text, general(sla, "example"), "example")
    assert answer.status_code == 201, answer.text
    filed = complaint("example")
    await sla.hears(filed)
    assert (await detail(sla, filed))["clause"] == "成都规范 §3"
    assert (await detail(sla, filed, "call_back"))["limit_seconds"] == 4 * 3600


# --- composition, without a service ---------------------------------------------------------------------------------


def pack(name: str, version: int = 1, since: str = "2026-01-01", limit: int = 5, running: str = "keep") -> Pack:
    return read_pack(rules(name, version, limit, running=running).replace("2026-01-01", since))


def at(day: str) -> int:
    return day_start(date.fromisoformat(day), ZONE)


@pytest.mark.req("S-01", "S-02")
def test_each_layer_hides_the_one_below_from_its_effect_on() -> None:
    published = at("2026-05-01") + 7
    versions = [
        PackVersion(pack("group-baseline", limit=10)),
        PackVersion(pack("composed", limit=8)),
        PackVersion(pack("own", limit=6), published, "beijing"),
    ]
    periods = {bound.target.pack: bound.periods for bound in bind(versions, ZONE)}
    assert periods == {
        "group-baseline": (),
        "composed": ((EVER_SINCE, published),),
        "own": ((published, FOR_EVER),),
    }


@pytest.mark.req("S-01")
def test_a_version_takes_effect_on_its_day_and_not_before_it_is_published() -> None:
    early, late = micros(datetime(2026, 2, 1, tzinfo=UTC)), micros(datetime(2026, 6, 1, 9, tzinfo=UTC))
    versions = [
        PackVersion(pack("own", 1), early),
        PackVersion(pack("own", 2, "2026-04-01"), early),
        PackVersion(pack("own", 3, "2026-05-01"), late),
    ]
    periods = [(bound.target.version, bound.periods) for bound in bind(versions, ZONE)]
    assert periods == [
        (1, ((at("2026-01-01"), at("2026-04-01")),)),
        (2, ((at("2026-04-01"), late),)),
        (3, ((late, FOR_EVER),)),
    ]
