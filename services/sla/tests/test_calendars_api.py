"""Working hours and announced years: set through the API, and felt by the clocks that are open."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shouwen.contracts.case import CaseRegistered, CaseReplied
from shouwen.contracts.clock import ClockCancelled, ClockRecalculated
from shouwen.contracts.directory import BranchDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.runtime.testing import Grounds, Running
from shouwen.sla.app import create
from shouwen.sla.settings import SlaSettings

MORNINGS = {"week": {day: ["08:00-12:00"] for day in ("mon", "tue", "wed", "thu", "fri")}}
NEW_YEAR_2027 = """\
year: 2027
source: 国办发明电〔2026〕9号
holidays:
  - {name: 元旦, from: 2027-01-01, to: 2027-01-04}
workdays:
  - 2027-01-09
"""


async def describe(sla: Running, branch: str, *packs: str, time_zone: str = "Asia/Shanghai") -> None:
    described = BranchDescribed(branch=branch, name=branch, number_prefix="QA", packs=packs, time_zone=time_zone)
    await sla.hears(CloudEvent.of(described, source="/shouwen/intake"))


def complaint(branch: str, received_at: datetime) -> CloudEvent[CaseRegistered]:
    return CloudEvent.of(
        CaseRegistered(
            branch=branch,
            case_id=uuid4(),
            number="QA-2026-000001",
            case_type="complaint",
            channel="phone",
            received_at=received_at,
            registered_at=received_at,
            registrar="clerk.wang",
            severity=None,
            promised_at=None,
            owner="clerk.wang",
        ),
        source="/shouwen/intake",
    )


def replied(to: CloudEvent[CaseRegistered], at: datetime) -> CloudEvent[CaseReplied]:
    return CloudEvent.of(
        CaseReplied(
            branch=to.data.branch,
            case_id=to.data.case_id,
            number=to.data.number,
            replied_at=at,
            replied_by="clerk.wang",
        ),
        source="/shouwen/intake",
    )


async def clock(sla: Running, event: CloudEvent[Any], target: str) -> dict[str, Any]:
    answer = await sla.http.get("/api/clocks", params={"subject": event.subject}, headers=auditor(sla))
    assert answer.status_code == 200, answer.text
    [found] = [item for item in answer.json()["items"] if item["target"] == target]
    return found


async def due_at(sla: Running, event: CloudEvent[Any], target: str = "reply") -> datetime:
    return datetime.fromisoformat((await clock(sla, event, target))["due_at"])


def auditor(sla: Running) -> dict[str, str]:
    return sla.token(person="auditor", branches=(), roles=("group_auditor",))


def manager(sla: Running, branch: str, role: str = "manager") -> dict[str, str]:
    return sla.token(person="qa.manager", branches=(branch,), roles=(role,))


def group(sla: Running) -> dict[str, str]:
    return sla.token(person="group.admin", branches=(), roles=("group_admin",))


async def put(sla: Running, branch: str, schedule: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    content = schedule if isinstance(schedule, str) else json.dumps(schedule)
    sent = {**(headers or manager(sla, branch)), "Content-Type": "application/json"}
    return await sla.http.put(f"/api/calendars/{branch}", content=content, headers=sent)


async def is_recalculated(sla: Running, number: int | None) -> dict[str, Any]:
    """Waits until the open clocks have been computed anew."""
    assert number is not None
    found: dict[str, Any] = {}

    async def problem() -> str | None:
        answer = await sla.http.get("/api/recalculations", params={"limit": 200}, headers=auditor(sla))
        found.update(next(item for item in answer.json()["items"] if item["id"] == number))
        return None if found["done_at"] else f"recalculation {number} is at {found}"

    await sla.until_none(problem)
    return found


async def days(sla: Running, branch: str, first: str, last: str) -> dict[str, dict[str, Any]]:
    params = {"from": first, "to": last}
    answer = await sla.http.get(f"/api/calendars/{branch}", params=params, headers=manager(sla, branch))
    assert answer.status_code == 200, answer.text
    return {day["date"]: day for day in answer.json()["days"]}


@pytest.mark.req("S-15")
async def test_a_branch_without_hours_of_its_own_keeps_office_hours_with_holidays_and_makeup_days(sla: Running) -> None:
    shown = await days(sla, "beijing", "2026-09-30", "2026-10-11")
    office = ["09:00-12:00", "13:00-18:00"]
    assert (shown["2026-09-30"]["kind"], shown["2026-09-30"]["intervals"]) == ("workday", office)
    assert (shown["2026-10-01"]["kind"], shown["2026-10-01"]["intervals"]) == ("holiday", [])
    assert (shown["2026-10-10"]["kind"], shown["2026-10-10"]["intervals"]) == ("makeup_workday", office)
    assert shown["2026-10-11"]["kind"] == "weekend"
    assert not any(day["provisional"] for day in shown.values())
    assert (await days(sla, "beijing", "2027-05-01", "2027-05-01"))["2027-05-01"]["provisional"]


@pytest.mark.req("S-15")
async def test_new_hours_move_open_clocks_of_the_branch_and_nothing_else(sla: Running) -> None:
    await describe(sla, "mornings", "insurer-head-office")
    await describe(sla, "office", "insurer-head-office")
    start = datetime(2026, 9, 14, 10, tzinfo=UTC)  # a Monday
    here, elsewhere, ended = (complaint(branch, start) for branch in ("mornings", "office", "mornings"))
    await sla.hears(here, elsewhere, ended, replied(ended, start + timedelta(days=5)))
    before = await due_at(sla, here)
    assert before == datetime(2026, 9, 20, 10, tzinfo=UTC), "the Sunday is a make-up workday"
    answer = await put(sla, "mornings", {**MORNINGS, "exceptions": [{"date": "2026-09-16", "intervals": []}]})
    assert answer.status_code == 200, answer.text
    done = await is_recalculated(sla, answer.json()["recalculation"])
    assert done["moved"] >= 1
    assert await due_at(sla, here) == datetime(2026, 9, 21, 4, tzinfo=UTC), "12:00, a day later for the closed one"
    assert await due_at(sla, elsewhere) == before
    assert await due_at(sla, ended) == before, "what has ended stays as it was"
    await sla.hears(replied(ended, start + timedelta(days=8)))
    assert await due_at(sla, ended) == before, "also when more is heard of it"
    assert not (await clock(sla, ended, "reply"))["breached"]
    explained = await sla.http.get(f"/api/clocks/{(await clock(sla, ended, 'reply'))['id']}", headers=auditor(sla))
    segments = explained.json()["segments"]
    assert sum(segment["counted_seconds"] for segment in segments) == explained.json()["limit_seconds"] == 40 * 3600
    assert datetime.fromisoformat(segments[-1]["to"]) == before, "by the hours of then"
    events = await sla.emitted(ClockRecalculated, count=1)
    moved = [e.data for e in events if e.data.timed_subject == here.subject and e.data.target == "reply"]
    assert [(each.previous_due_at, each.due_at) for each in moved] == [(before, await due_at(sla, here))]
    assert not [
        e for e in events if e.data.timed_subject in {elsewhere.subject, ended.subject} and e.data.policy == "feedback"
    ]
    again = await put(sla, "mornings", {**MORNINGS, "exceptions": [{"date": "2026-09-16", "intervals": []}]})
    assert again.json()["recalculation"] is None, "the same again changes nothing"
    answer = await sla.http.delete("/api/calendars/mornings", headers=manager(sla, "mornings"))
    await is_recalculated(sla, answer.json()["recalculation"])
    assert await due_at(sla, here) == before


@pytest.mark.req("S-15")
async def test_hours_may_end_at_midnight_and_stand_in_another_zone(sla: Running) -> None:
    await describe(sla, "lisbon", "insurer-head-office")
    schedule = """\
time_zone: Europe/Lisbon
holidays: none
week:
  mon: ["18:00-24:00"]
  tue: ["00:00-06:00", "18:00-24:00"]
  wed: ["00:00-06:00"]
exceptions:
  - {date: 2026-03-31, intervals: ["00:00-02:00"]}
"""
    answer = await put(sla, "lisbon", schedule, manager(sla, "lisbon", "general_manager"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["schedule"]["week"]["mon"] == ["18:00-24:00"]
    await is_recalculated(sla, answer.json()["recalculation"])
    shown = await days(sla, "lisbon", "2026-03-30", "2026-04-01")
    assert [day["kind"] for day in shown.values()] == ["workday", "exception", "workday"]
    filed = complaint("lisbon", datetime(2026, 3, 29, 0, 30, tzinfo=UTC))  # the Sunday on which summer time begins
    await sla.hears(filed)
    # Monday, the half Tuesday, Wednesday, Monday and Tuesday of the next week: closing at 24:00 in Lisbon, 23:00 UTC.
    assert await due_at(sla, filed) == datetime(2026, 4, 7, 23, tzinfo=UTC)


@pytest.mark.req("S-15")
@pytest.mark.parametrize(
    ("schedule", "field", "words"),
    [
        ({"week": {}}, "week", "no working time"),
        ({"week": {"mon": []}}, "week", "no working time"),
        ({"week": {"mon": ["09:00"]}}, "week.mon.0", "09:00-12:00"),
        ({"week": {"mon": ["18:00-09:00"]}}, "week.mon.0", "not a time span"),
        ({"week": {"mon": ["09:00-25:00"]}}, "week.mon.0", "24:00"),
        ({"week": {"mon": ["09:00-12:00", "11:00-18:00"]}}, "mon", "overlap"),
        ({"week": {"noday": ["09:00-12:00"]}}, "week.noday", "mon"),
        ({**MORNINGS, "time_zone": "Asia/Nowhere"}, "time_zone", "IANA"),
        ({**MORNINGS, "holidays": "us"}, "holidays", "cn"),
        ({**MORNINGS, "lunch": "12:00"}, "lunch", "Remove"),
        ({**MORNINGS, "exceptions": [{"date": "2026-13-01", "intervals": []}]}, "exceptions.0.date", ""),
        ({**MORNINGS, "exceptions": [{"date": "2026-12-24", "intervals": []}] * 2}, "exceptions", "twice"),
        ("week: [", "yaml", ""),
        ("", "file", ""),
    ],
)
async def test_hours_that_cannot_be_are_refused_and_change_nothing(
    sla: Running, schedule: Any, field: str, words: str
) -> None:
    before = await days(sla, "shenzhen", "2026-12-01", "2026-12-31")
    answer = await put(sla, "shenzhen", schedule)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["errors"][0]["field"] == field, problem
    assert words.lower() in json.dumps(problem["errors"], ensure_ascii=False).lower()
    assert problem["errors"][0]["remedy"]
    assert await days(sla, "shenzhen", "2026-12-01", "2026-12-31") == before


@pytest.mark.req("X-06")
async def test_hours_are_set_by_those_who_lead_the_branch(sla: Running) -> None:
    clerk = sla.token(branches=("beijing",), roles=("clerk",))
    assert (await put(sla, "beijing", MORNINGS, clerk)).status_code == 403
    assert (await put(sla, "beijing", MORNINGS, manager(sla, "chengdu"))).status_code == 403
    assert (await put(sla, "atlantis", MORNINGS, group(sla))).status_code == 404
    assert (await put(sla, "Not a branch", MORNINGS, group(sla))).status_code in {404, 422}
    hidden = await sla.http.get("/api/calendars/beijing", headers=manager(sla, "chengdu"))
    assert hidden.status_code == 404
    loaded = await sla.http.post("/api/calendars/announcements", content=NEW_YEAR_2027, headers=manager(sla, "beijing"))
    assert loaded.status_code == 403
    assert (await sla.http.get("/api/calendars")).status_code == 401


async def test_calendars_are_listed_page_by_page(sla: Running) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await sla.http.get("/api/calendars", params={"limit": 2, **after}, headers=auditor(sla))).json()
        assert len(page["items"]) <= 2
        seen += [item["branch"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == sorted(set(seen))
    assert {"beijing", "chengdu", "shenzhen"} <= set(seen)
    own = await sla.http.get("/api/calendars", headers=manager(sla, "chengdu"))
    assert [(item["branch"], item["is_own"]) for item in own.json()["items"]] == [("chengdu", False)]
    for wrong in ({"from": "2026-01-02", "to": "2026-01-01"}, {"from": "2026-01-01", "to": "2028-01-01"}):
        answer = await sla.http.get("/api/calendars/beijing", params=wrong, headers=manager(sla, "beijing"))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "to")


@pytest.mark.req("S-15")
async def test_the_announcement_of_a_year_moves_the_deadlines_that_rested_on_a_guess(
    ground: Grounds, directory_file: Path
) -> None:
    quick = timedelta(milliseconds=50)
    async with (
        ground.running(create, SlaSettings, directory_file=directory_file, ticker_interval=quick) as one,
        ground.running(create, SlaSettings, directory_file=directory_file, ticker_interval=quick) as other,
    ):
        # From Monday 28 December; five working days end on 5 January, if only New Year's Day itself is off.
        filed = complaint("shenzhen", datetime(2026, 12, 28, 2, tzinfo=UTC))
        async with ground.publishing() as publish:
            await publish(filed)

        async def armed() -> str | None:
            rows = await one.fetch("SELECT 1 FROM clock WHERE subject = $1", filed.subject)
            return None if rows else "no clock yet"

        await one.until_none(armed)
        reply = await clock(one, filed, "reply")
        assert reply["provisional"]
        assert datetime.fromisoformat(reply["due_at"]) == datetime(2027, 1, 5, 10, tzinfo=UTC)
        answer = await one.http.post("/api/calendars/announcements", content=NEW_YEAR_2027, headers=group(one))
        assert answer.status_code == 201, answer.text
        done = await is_recalculated(other, answer.json()["recalculation"])
        assert (done["cause"], done["moved"] >= 1) == ("announcement", True)
        for replica in (one, other):
            reply = await clock(replica, filed, "reply")
            assert not reply["provisional"]
            assert datetime.fromisoformat(reply["due_at"]) == datetime(2027, 1, 6, 10, tzinfo=UTC)
            shown = await days(replica, "shenzhen", "2027-01-01", "2027-01-09")
            assert (shown["2027-01-04"]["kind"], shown["2027-01-04"]["name"]) == ("holiday", "元旦")
            assert shown["2027-01-09"]["kind"] == "makeup_workday"
            assert not shown["2027-01-01"]["provisional"]
        events = [e.data for e in await one.emitted(ClockRecalculated) if e.data.target == "reply"]
        assert [(e.previous_due_at.day, e.due_at.day, e.provisional) for e in events] == [(5, 6, False)]
        again = await other.http.post("/api/calendars/announcements", content=NEW_YEAR_2027, headers=group(other))
        assert again.json()["recalculation"] is None
        listed = await other.http.get("/api/calendars/announcements", headers=manager(other, "beijing"))
        assert [(item["year"], item["loaded_by"]) for item in listed.json()["items"]] == [(2027, "group.admin")]


@pytest.mark.req("S-15")
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (NEW_YEAR_2027.replace("year: 2027", "year: 2028"), "holidays.0"),
        (NEW_YEAR_2027.replace("to: 2027-01-04", "to: 2026-12-31"), "holidays.0.to"),
        (NEW_YEAR_2027.replace("- 2027-01-09", "- 2027-01-03"), "workdays.0"),
        (NEW_YEAR_2027.replace("- 2027-01-09", "- 2027-01-06"), "workdays.0"),
        (NEW_YEAR_2027.replace("from: 2027-01-01", "from: yesterday"), "holidays.0.from"),
        ("year: 2027\nholidays: []\n", "holidays"),
        ("year: 2027\n", "holidays"),
    ],
)
async def test_an_announcement_that_cannot_be_is_refused(sla: Running, wrong: str, field: str) -> None:
    answer = await sla.http.post("/api/calendars/announcements", content=wrong, headers=group(sla))
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    listed = await sla.http.get("/api/calendars/announcements", headers=auditor(sla))
    assert listed.json()["items"] == []


async def test_a_branch_that_drops_a_pack_has_no_running_clock_of_it(sla: Running) -> None:
    await describe(sla, "leaving", "insurer-head-office")
    filed = complaint("leaving", datetime.now(UTC))
    await sla.hears(filed)
    assert (await clock(sla, filed, "reply"))["state"] == "running"
    await describe(sla, "leaving")

    async def running() -> str | None:
        state = (await clock(sla, filed, "reply"))["state"]
        return None if state == "cancelled" else f"it is {state}"

    await sla.until_none(running)
    assert (await clock(sla, filed, "resolution"))["state"] == "running", "the baseline still binds"
    events = [e.data for e in await sla.emitted(ClockCancelled) if e.data.timed_subject == filed.subject]
    assert [(event.target, event.reason) for event in events] == [("reply", "target_removed")]


@pytest.mark.req("S-15")
async def test_an_announcement_is_loaded_from_the_command_line_too(
    ground: Grounds, directory_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "2027.yaml"
    file.write_text(NEW_YEAR_2027, encoding="utf-8")
    async with ground.running(create, SlaSettings, directory_file=directory_file) as one:
        code, said = await command(ground, "calendar", "load", str(file))
        assert (code, "4 days off and 1 make-up workdays" in said) == (0, True), said
        assert (await days(one, "beijing", "2027-01-04", "2027-01-04"))["2027-01-04"]["kind"] == "holiday"
        file.write_text(NEW_YEAR_2027.replace("2027-01-09", "2027-01-07"), encoding="utf-8")
        code, said = await command(ground, "calendar", "load", str(file))
        assert (code, "2027.yaml:6: workdays.0: 2027-01-07 is no weekend" in said) == (2, True), said
        code, said = await command(ground, "calendar", "load", str(tmp_path / "none.yaml"))
        assert (code, "none.yaml cannot be read" in said) == (2, True), said
        file.write_text(NEW_YEAR_2027, encoding="utf-8")
        code, said = await command(ground, "calendar", "load", str(file), "--url", "http://127.0.0.1:9")
        assert (code, "does not answer" in said) == (2, True), said


async def command(ground: Grounds, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shouwen.sla",
        *arguments,
        env={**os.environ, **ground.environment()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_every_query_of_the_rules_fits_the_schema(sla: Running) -> None:
    names = await sla.prepares_every_query("shouwen.sla")
    assert {"raise_revision", "add_schedule", "claim_recalculation", "add_pack", "add_event_type"} <= set(names)
