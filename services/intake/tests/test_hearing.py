"""What intake hears: timelines, screenings, and the list of dishonest clients."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shouwen.contracts import samples
from shouwen.contracts.case import CaseMarked, CaseNoticeRequested, CaseRegistered
from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientScreened, Hit
from shouwen.contracts.clock import ClockBreached, ClockExtended, ClockStarted
from shouwen.contracts.event import CloudEvent
from shouwen.contracts.message import MessageSent
from shouwen.runtime import telemetry
from shouwen.runtime.privacy import keyed_hash
from shouwen.runtime.testing import Running

Body = dict[str, Any]
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def clock_facts(timed_subject: str) -> list[CloudEvent[Any]]:
    """A clock that started and was breached, as sla tells it."""
    clock: Body = {
        "branch": "beijing",
        "clock_id": uuid4(),
        "timed_subject": timed_subject,
        "pack": "group-baseline",
        "policy": "complaint",
        "target": "first_response",
        "clause": "004 三(六)",
    }
    due = NOW + timedelta(days=1)
    started = ClockStarted(**clock, started_at=NOW, due_at=due)
    breached = ClockBreached(**clock, due_at=due, late_seconds=0.2)
    traceparent = f"00-{uuid4().hex}-00f067aa0ba902b7-01"
    return [
        CloudEvent.of(started, source="/shouwen/sla", time=NOW, traceparent=traceparent),
        CloudEvent.of(breached, source="/shouwen/sla", time=due, traceparent=traceparent),
    ]


def message_fact(about: str) -> CloudEvent[MessageSent]:
    """A message that was sent, as notify tells it."""
    sent = MessageSent(
        branch="beijing",
        message_id=uuid4(),
        about=about,
        cause=str(uuid4()),
        recipient="bj.clerk",
        channel="email",
        template="case_registered",
        sent_at=NOW,
    )
    return CloudEvent.of(sent, source="/shouwen/notify", time=NOW + timedelta(minutes=1))


def screened(case_id: str, *hits: Hit) -> CloudEvent[ClientScreened]:
    """A screening, as review tells it."""
    fact = ClientScreened(branch="beijing", case_id=UUID(case_id), screened_at=NOW, hits=hits)
    return CloudEvent.of(fact, source="/shouwen/review")


class Listing:
    """A client and its list entry, as review tells of them."""

    def __init__(self, intake: Running, reason_code: str = "forged_documents") -> None:
        self.identifier = f"9111{uuid4().int % 10**14:014d}"
        self.entry = uuid4()
        self.client: Body = {"name": "北京失信商贸有限公司", "identifier": self.identifier}
        self._fact: Body = {
            # Another branch lists the client: the list holds for the whole group.
            "branch": "chengdu",
            "list_entry_id": self.entry,
            "identifier_hash": keyed_hash(intake.service.hash_key, self.identifier),
            "reason_code": reason_code,
            "proposed_by": "cd.clerk",
            "confirmed_by": "cd.general",
        }

    @property
    def added(self) -> CloudEvent[ClientBlacklisted]:
        return CloudEvent.of(ClientBlacklisted(**self._fact, listed_at=NOW), source="/shouwen/review")

    @property
    def lifted(self) -> CloudEvent[ClientDelisted]:
        return CloudEvent.of(ClientDelisted(**self._fact, delisted_at=NOW), source="/shouwen/review")


async def timeline(intake: Running, number: str, **parameters: str) -> Body:
    headers = intake.token("bj.clerk")
    answer = await intake.http.get(f"/api/cases/{number}/timeline", params=parameters, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_timeline_holds_the_cases_own_facts_and_what_was_heard(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    case = (await register(matter(client={"name": "星河", "identifier": "91110105MA01ABCD2X"}))).json()
    subject = f"case/{case['id']}"
    clocks = clock_facts(subject)
    await intake.hears(*clocks, message_fact(subject), screened(case["id"]), *clocks)
    entries = (await timeline(intake, case["number"]))["items"]
    assert sorted(entry["type"] for entry in entries) == [
        "case.registered.v1",
        "client.screened.v1",
        "clock.breached.v1",
        "clock.started.v1",
        "message.sent.v1",
    ]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    by_type = {entry["type"]: entry for entry in entries}
    assert by_type["clock.breached.v1"]["data"] == {
        "clock_id": str(clocks[1].data.clock_id),
        "pack": "group-baseline",
        "policy": "complaint",
        "target": "first_response",
        "clause": "004 三(六)",
        "cycle": 1,
        "due_at": "2026-11-21T01:00:00Z",
        "late_seconds": 0.2,
    }
    assert by_type["clock.started.v1"]["source"] == "/shouwen/sla"
    assert by_type["clock.started.v1"]["trace_id"] == telemetry.trace_id_of(clocks[0].traceparent)
    assert by_type["case.registered.v1"]["trace_id"] == case["trace_id"]
    assert by_type["message.sent.v1"]["data"]["recipient"] == "bj.clerk"


async def test_a_timeline_is_read_in_pages(intake: Running, register: Any, matter: Callable[..., Body]) -> None:
    case = (await register(matter())).json()
    await intake.hears(*clock_facts(f"case/{case['id']}"), message_fact(f"case/{case['id']}"))
    whole = (await timeline(intake, case["number"]))["items"]
    found: list[Body] = []
    page = await timeline(intake, case["number"], limit="1")
    while page["next"]:
        found += page["items"]
        page = await timeline(intake, case["number"], limit="1", after=page["next"])
    assert found + page["items"] == whole


async def test_what_is_told_of_an_unknown_case_is_kept_and_of_foreign_matters_passed_over(intake: Running) -> None:
    unknown = uuid4()
    injury = f"injury/{uuid4()}"
    await intake.hears(*clock_facts(f"case/{unknown}"), *clock_facts(injury), *clock_facts("case/2026-17"))
    kept = await intake.fetch("SELECT type FROM heard_fact WHERE case_id = $1 ORDER BY at", unknown)
    assert [row["type"] for row in kept] == ["clock.started.v1", "clock.breached.v1"]
    assert not [each for each in await intake.dead_letters() if each.subject in (injury, "case/2026-17")]


@pytest.mark.req("I-17")
async def test_a_listed_clients_service_request_is_refused_and_its_complaint_registered_and_marked(
    intake: Running, register: Any, matter: Callable[..., Body], fields: Callable[[httpx.Response], list[str]]
) -> None:
    listing = Listing(intake)
    before = (await register(matter(type="service_request", client=listing.client))).json()
    await intake.hears(listing.added)

    refused = await register(matter(type="service_request", client=listing.client))
    assert (refused.status_code, fields(refused)) == (409, ["client.identifier"])
    problem = refused.json()
    assert (problem["code"], problem["reason_code"]) == ("client_blacklisted", "forged_documents")
    assert listing.identifier not in refused.text

    numbers: list[int] = [int(before["number"][-6:])]
    for kind in ("complaint", "report"):
        case = (await register(matter(type=kind, client=listing.client))).json()
        numbers.append(int(case["number"][-6:]))
        [mark] = await intake.emitted(CaseMarked, subject=f"case/{case['id']}")
        assert (mark.data.mark, mark.data.reason_code) == ("client_blacklisted", "forged_documents")
        shown = (await intake.http.get(f"/api/cases/{case['number']}", headers=intake.token("bj.clerk"))).json()
        assert [(each["mark"], each["list_entry_id"]) for each in shown["marks"]] == [
            ("client_blacklisted", str(listing.entry))
        ]
        # Review screens the case too, and finds the same entry: no second mark is told.
        hit = Hit(list_entry_id=listing.entry, match="identifier", reason_code="forged_documents")
        await intake.hears(screened(case["id"], hit))
        await intake.settled()
        assert len(await intake.emitted(CaseMarked, subject=f"case/{case['id']}")) == 1
    assert numbers == list(range(numbers[0], numbers[0] + 3)), "the refused request used no number"


@pytest.mark.req("I-17")
async def test_a_client_that_comes_onto_the_list_has_its_open_cases_marked_in_their_own_traces(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    listing = Listing(intake)
    open_case = (await register(matter(client=listing.client))).json()
    ended = (await register(matter(client=listing.client))).json()
    withdrawn = await intake.http.post(
        f"/api/cases/{ended['number']}/withdraw", json={"reason": "撤回"}, headers=intake.token("bj.clerk")
    )
    assert withdrawn.status_code == 200
    await intake.hears(listing.added, listing.added)
    await intake.settled()
    [mark] = await intake.emitted(CaseMarked, subject=f"case/{open_case['id']}")
    assert telemetry.trace_id_of(mark.traceparent) == open_case["trace_id"]
    assert await intake.emitted(CaseMarked, subject=f"case/{ended['id']}", count=0) == []


async def test_a_client_taken_off_the_list_is_served_again_and_its_marks_are_history(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    listing = Listing(intake)
    case = (await register(matter(client=listing.client))).json()
    await intake.hears(listing.added)
    await intake.hears(listing.lifted)
    assert (await register(matter(type="service_request", client=listing.client))).status_code == 201
    shown = (await intake.http.get(f"/api/cases/{case['number']}", headers=intake.token("bj.clerk"))).json()
    assert [each["lifted_at"] is not None for each in shown["marks"]] == [True]
    # The entry heard again, as in a replay, stays lifted.
    await intake.hears(listing.added)
    assert (await register(matter(type="service_request", client=listing.client))).status_code == 201


@pytest.mark.req("I-17")
async def test_a_similar_name_only_asks_for_a_look(intake: Running, register: Any, matter: Callable[..., Body]) -> None:
    case = (await register(matter(client={"name": "北京失信商贸公司"}))).json()
    [registered] = await intake.emitted(CaseRegistered, subject=f"case/{case['id']}")
    assert registered.data.client is not None
    assert registered.data.client.identifier_hash is None
    hits = [Hit(list_entry_id=uuid4(), match="name", reason_code="unpaid_wages") for _ in range(3)]
    await intake.hears(screened(case["id"], *hits))
    [mark] = await intake.emitted(CaseMarked, subject=f"case/{case['id']}")
    assert mark.data.mark == "client_name_similar"
    assert mark.traceparent is not None
    shown = (await intake.http.get(f"/api/cases/{case['number']}", headers=intake.token("bj.clerk"))).json()
    assert len(shown["marks"]) == 3


async def test_a_hit_for_a_case_that_intake_does_not_have_goes_to_a_person(intake: Running) -> None:
    unknown = str(uuid4())
    hit = Hit(list_entry_id=uuid4(), match="identifier", reason_code="forged_documents")
    await intake.hears(screened(unknown, hit))
    [letter] = [each for each in await intake.dead_letters() if each.subject == f"case/{unknown}"]
    assert letter.stream == "client.v1"
    # The same screening is still to be handled when the letter is replayed.
    assert not await intake.fetch("SELECT 1 FROM heard_fact WHERE case_id = $1", UUID(unknown))


async def test_more_time_is_confirmed_to_the_requester_in_writing(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    case = (await register(matter(requester={"name": "李娜", "email": "li.na@example.com"}))).json()
    body = {**samples.of("clock.extended.v1").body, "timed_subject": f"case/{case['id']}", "branch": "beijing"}
    fact = ClockExtended.model_validate(body)
    await intake.hears(CloudEvent.of(fact, source="/shouwen/sla"))

    [notice] = await intake.emitted(CaseNoticeRequested, subject=f"case/{case['id']}")
    assert notice.data.notice == "extension"
    sealed = intake.service.seal.open(notice.data.sealed)
    assert sealed["email"] == "li.na@example.com"
    assert datetime.fromisoformat(sealed["due_at"]) == fact.due_at
    assert "li.na" not in notice.data.model_dump_json()
