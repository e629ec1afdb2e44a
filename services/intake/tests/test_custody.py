"""Who is responsible for a case, how it passes on, and who answers for a limit that was missed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouwen.contracts.case import CaseNoticeRequested
from shouwen.contracts.casework import HandoverAccepted, HandoverOffered, HandoverReturned
from shouwen.contracts.clock import ClockBreached, ClockStarted, Responsible
from shouwen.contracts.event import CloudEvent
from shouwen.intake.domain import custody
from shouwen.intake.domain.case import Actor, AlreadyOwner, Case, NotInThisState, NotYours
from shouwen.intake.domain.custody import (
    AlreadyOffered,
    Colleague,
    HeardClock,
    Holding,
    NothingOffered,
    NotOffered,
    Offer,
    OfferLapsed,
    StandingIn,
    receiver_in,
)
from shouwen.intake.ticker import Ticker
from shouwen.runtime.errors import Invalid
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OWNER = Actor("bj.clerk", frozenset({"clerk"}), frozenset({"beijing"}))
RECEIVER = Actor("bj.clerk2", frozenset({"clerk"}), frozenset({"beijing"}))
COLLEAGUE = Colleague("bj.clerk2", "payroll", ("clerk",))
CASE = Case(
    id=UUID(int=1),
    number="BJ-2026-000001",
    branch="beijing",
    type="inquiry",
    severity=None,
    channel="phone",
    relation="client_company",
    state="received",
    received_at=NOON,
    registered_at=NOON,
    registrar="bj.clerk",
    owner="bj.clerk",
    department="customer-service",
    promised_at=None,
    traceparent=None,
)


def offered(case: Case = CASE, **differences: Any) -> Offer:
    usual: Body = {
        "offer_id": uuid4(),
        "receiver": COLLEAGUE,
        "standing": None,
        "allowed": 4 * HOUR,
        "actor": OWNER,
        "now": NOON,
    }
    return custody.offer(case, **usual | differences)[0]


def accept(offer: Offer | None, *, actor: Actor = RECEIVER, now: datetime = NOON + HOUR, case: Case = CASE) -> Any:
    return custody.accept(case, offer, actor=actor, stand_ins=("bj.manager",), now=now)


@pytest.mark.req("I-05")
def test_a_case_stays_with_its_owner_until_the_receiver_accepts() -> None:
    offer, fact = custody.offer(
        CASE, offer_id=uuid4(), receiver=COLLEAGUE, standing=None, allowed=4 * HOUR, actor=OWNER, now=NOON
    )
    assert (fact.owner, fact.receiver, fact.answer_until) == ("bj.clerk", "bj.clerk2", NOON + 4 * HOUR)
    changed, answered, accepted = accept(offer)
    assert (changed.state, changed.owner, changed.department) == ("assigned", "bj.clerk2", "payroll")
    assert answered.state == "accepted"
    assert (accepted.previous_owner, accepted.previous_department) == ("bj.clerk", "customer-service")


def test_an_offer_is_refused_where_it_cannot_be() -> None:
    with pytest.raises(NotYours):
        offered(actor=RECEIVER)
    with pytest.raises(AlreadyOwner):
        offered(receiver=Colleague("bj.clerk", None, ()))
    with pytest.raises(AlreadyOffered, match=r"bj\.clerk2"):
        offered(standing=offered())
    with pytest.raises(NotInThisState):
        offered(replace(CASE, state="resolved"))


def test_only_the_receiver_or_who_stands_in_for_them_answers_and_only_in_time() -> None:
    offer = offered()
    with pytest.raises(NotOffered):
        accept(offer, actor=OWNER)
    with pytest.raises(OfferLapsed):
        accept(offer, now=NOON + 4 * HOUR)
    with pytest.raises(NothingOffered):
        accept(None)
    stand_in = Actor("bj.manager", frozenset({"manager"}), frozenset({"beijing"}))
    assert accept(offer, actor=stand_in)[0].owner == "bj.clerk2", "the receiver is responsible, not who stands in"
    with pytest.raises(OfferLapsed):
        custody.give_back(CASE, offer, actor=RECEIVER, stand_ins=(), now=NOON + 5 * HOUR)


def test_an_offer_that_was_not_answered_has_lapsed_when_it_is_read() -> None:
    offer = offered()
    assert offer.state_at(NOON + 3 * HOUR) == "offered"
    assert offer.state_at(NOON + 4 * HOUR) == "lapsed"
    settled, fact = custody.lapse(CASE, offer)
    assert (settled.state, fact.lapsed, fact.returned_at) == ("lapsed", True, NOON + 4 * HOUR)


@pytest.mark.req("I-05")
def test_a_case_for_a_department_goes_to_its_head_or_only_person_and_else_to_the_coordinator() -> None:
    head = Colleague("bj.head", "payroll", ("department_head",))
    payer = Colleague("bj.payer", "payroll", ("clerk",))
    alone = Colleague("bj.alone", "audit", ("clerk",))
    coordinator = Colleague("bj.coordinator", "coordination", ("coordinator",))
    staff = (payer, head, alone, coordinator)
    assert receiver_in("payroll", staff) == head
    assert receiver_in("audit", staff) == alone
    assert receiver_in("payroll", (payer, Colleague("bj.payer2", "payroll", ("clerk",)), coordinator)) == coordinator
    assert receiver_in("unheard-of", staff) == coordinator
    assert receiver_in(None, staff) == coordinator
    with pytest.raises(Invalid) as nobody:
        receiver_in("unheard-of", (payer,))
    assert nobody.value.field == "department"


@given(st.lists(st.integers(0, 500), min_size=1, max_size=8), st.integers(0, 600), st.integers(0, 600))
def test_the_minutes_of_all_who_had_a_case_are_the_minutes_of_the_case(
    lengths: list[int], first: int, second: int
) -> None:
    chain: list[Holding] = []
    at = NOON
    for position, length in enumerate(lengths):
        until = at + timedelta(minutes=length) if position < len(lengths) - 1 else None
        chain.append(Holding(f"person{position % 3}", f"department{position % 2}", at, until, "assigned"))
        at = until or at
    start, end = (NOON + timedelta(minutes=each) for each in sorted((first, second)))
    minutes = (end - start) / timedelta(minutes=1)
    assert sum(each.minutes for each in custody.held_by_person(chain, start, end)) == pytest.approx(minutes)
    assert sum(each.minutes for each in custody.held_by_department(chain, start, end)) == pytest.approx(minutes)


@pytest.mark.req("I-05", "I-09")
def test_the_principal_answers_first_and_the_delegate_second() -> None:
    chain = [
        Holding("bj.clerk", "customer-service", NOON, NOON + HOUR, "registered"),
        Holding("bj.clerk2", "payroll", NOON + HOUR, None, "accepted"),
    ]
    clock = {"clock_id": str(uuid4()), "policy": "inquiry", "target": "reply", "clause": "002 七(四)1", "cycle": 1}
    heard = [
        HeardClock("clock.started.v1", clock | {"started_at": NOON.isoformat()}),
        HeardClock(
            "clock.breached.v1",
            clock
            | {
                "due_at": (NOON + 3 * HOUR).isoformat(),
                "owner": "bj.clerk2",
                "department": "payroll",
                "delegate": "bj.manager",
            },
        ),
    ]
    away = [
        StandingIn("bj.clerk", "bj.general", NOON + HOUR / 2, NOON + 5 * HOUR),
        StandingIn("bj.clerk2", "bj.manager", NOON + 2 * HOUR, NOON + 30 * HOUR),
    ]
    [found] = custody.liabilities(heard, chain, away)
    assert (found.principal, found.delegate, found.department) == ("bj.clerk2", "bj.manager", "payroll")
    assert [(each.department, each.minutes) for each in found.departments] == [
        ("customer-service", 60.0),
        ("payroll", 120.0),
    ]
    assert [(each.delegate, each.principal, each.minutes) for each in found.stood_in] == [
        ("bj.general", "bj.clerk", 30.0),
        ("bj.manager", "bj.clerk2", 60.0),
    ]
    assert [(each.person, each.minutes) for each in found.held] == [("bj.clerk", 60.0), ("bj.clerk2", 120.0)]


def test_whoever_had_the_case_answers_for_a_clock_whose_owner_sla_did_not_know() -> None:
    chain = [
        Holding("bj.clerk", None, NOON, NOON + HOUR, "registered"),
        Holding("bj.clerk2", "payroll", NOON + HOUR, None, "assigned"),
    ]
    due = (NOON + HOUR / 2).isoformat()
    heard = [
        HeardClock("clock.breached.v1", {"clock_id": "c", "policy": "p", "target": "t", "clause": "", "due_at": due})
    ]
    [found] = custody.liabilities(heard, chain)
    assert (found.principal, found.delegate, found.department, found.started_at) == ("bj.clerk", None, None, NOON)


@pytest.fixture
def post(intake: Running) -> Callable[..., Any]:
    """Send a command as a person of Beijing."""

    async def send(
        number: str, path: str, person: str = "bj.clerk", role: str = "clerk", **body: Any
    ) -> httpx.Response:
        headers = intake.token(person, ["beijing"], [role])
        return await intake.http.post(f"/api/cases/{number}/{path}", json=body, headers=headers)

    return send


@pytest.fixture
def held(intake: Running) -> Callable[[str], Any]:
    """The custody of a case."""

    async def get(number: str, view: str = "custody") -> Body:
        answer = await intake.http.get(f"/api/cases/{number}/{view}", headers=intake.token("bj.clerk"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
async def case(register: Any, matter: Callable[..., Body]) -> Body:
    """A complaint registered by bj.clerk."""
    return (await register(matter())).json()


@pytest.mark.req("I-05")
async def test_a_handover_is_offered_accepted_and_the_requester_is_told_whom_to_call(
    intake: Running, case: Body, post: Any, held: Any
) -> None:
    number, subject = case["number"], f"case/{case['id']}"
    answer = await post(number, "handover", receiver="bj.clerk2", reason="属薪酬问题", phone="010 5555 1234")
    assert answer.status_code == 200, answer.text
    assert answer.json()["owner"] == "bj.clerk", "it stays whose it is"
    assert answer.json()["handover"]["state"] == "offered"
    accepted = await post(number, "handover/accept", "bj.clerk2")
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["state"], accepted.json()["owner"]) == ("assigned", "bj.clerk2")

    [offer] = await intake.emitted(HandoverOffered, subject=subject)
    assert (offer.data.receiver, offer.data.owner) == ("bj.clerk2", "bj.clerk")
    [taken] = await intake.emitted(HandoverAccepted, subject=subject)
    assert (taken.data.owner, taken.data.previous_owner) == ("bj.clerk2", "bj.clerk")
    [notice] = await intake.emitted(CaseNoticeRequested, subject=subject)
    told = intake.service.seal.open(notice.data.sealed)
    assert (told["contact_name"], told["contact_phone"]) == ("李建国", "010 5555 1234")
    assert told["contact_department"]
    assert {event.traceparent and event.traceparent.split("-")[1] for event in (offer, taken, notice)} == {
        case["trace_id"]
    }

    shown = await held(number)
    assert [(link["person"], link["how"], link["until"] is None) for link in shown["chain"]] == [
        ("bj.clerk", "registered", False),
        ("bj.clerk2", "accepted", True),
    ]
    assert shown["chain"][0]["until"] == shown["chain"][1]["since"], "no minute is nobody's"
    [handover] = shown["handovers"]
    assert (handover["state"], handover["reason"], handover["phone"]) == ("accepted", "属薪酬问题", "010 5555 1234")


async def test_the_phone_of_the_directory_is_told_unless_another_is_given(
    intake: Running, case: Body, post: Any
) -> None:
    await post(case["number"], "handover", receiver="bj.clerk2", reason="转办")
    assert (await post(case["number"], "handover/accept", "bj.clerk2")).status_code == 200
    [notice] = await intake.emitted(CaseNoticeRequested, subject=f"case/{case['id']}")
    assert intake.service.seal.open(notice.data.sealed)["contact_phone"] == "010 5550 0002"


@pytest.mark.req("I-05")
async def test_the_requester_of_an_assigned_case_is_told_whom_to_call_and_only_once(
    intake: Running, case: Body
) -> None:
    headers = intake.token("bj.manager", ["beijing"], ["manager"]) | {"Idempotency-Key": str(uuid4())}
    for _ in range(2):
        answer = await intake.http.post(
            f"/api/cases/{case['number']}/assign", json={"owner": "bj.clerk2"}, headers=headers
        )
        assert answer.status_code == 200, answer.text
    [notice] = await intake.emitted(CaseNoticeRequested, subject=f"case/{case['id']}")
    assert (notice.data.notice, notice.data.owner) == ("handover", "bj.clerk2")
    assert intake.service.seal.open(notice.data.sealed)["contact_name"] == "李建国"


@pytest.mark.req("I-05")
async def test_a_receiver_returns_what_is_not_theirs_and_it_stays_with_its_owner(
    intake: Running, case: Body, post: Any, held: Any, fields: Fields
) -> None:
    number = case["number"]
    await post(number, "handover", receiver="bj.clerk2", reason="请接手")
    twice = await post(number, "handover", receiver="bj.manager", reason="请接手")
    assert (twice.status_code, fields(twice)) == (409, ["handover"])
    stranger = await post(number, "handover/return", "bj.manager", "manager", reason="不归我")
    assert (stranger.status_code, fields(stranger)) == (403, ["handover"])
    returned = await post(number, "handover/return", "bj.clerk2", reason="不属本部门职责")
    assert (returned.status_code, returned.json()["owner"]) == (200, "bj.clerk")
    [told] = await intake.emitted(HandoverReturned, subject=f"case/{case['id']}")
    assert (told.data.owner, told.data.receiver, told.data.lapsed) == ("bj.clerk", "bj.clerk2", False)
    shown = await held(number)
    assert [each["person"] for each in shown["chain"]] == ["bj.clerk"]
    assert shown["handovers"][0]["answer"] == "不属本部门职责"
    late = await post(number, "handover/accept", "bj.clerk2")
    assert (late.status_code, fields(late)) == (409, ["handover"])


@pytest.mark.req("I-05")
async def test_an_offer_that_nobody_answers_lapses_and_the_owner_is_told_once(
    intake: Running, case: Body, post: Any, held: Any
) -> None:
    number = case["number"]
    await post(number, "handover", receiver="bj.clerk2", reason="请接手")
    await intake.fetch(
        "UPDATE handover SET offered_at = now() - interval '5 hours', answer_until = now() - interval '1 hour' "
        "WHERE case_id = $1",
        UUID(case["id"]),
    )
    refused = await post(number, "handover/accept", "bj.clerk2")
    assert refused.status_code == 409
    assert (await held(number))["handovers"][0]["state"] == "lapsed"
    ticker = Ticker(intake.service.work, interval=timedelta(minutes=1))
    await ticker.settle()
    await ticker.settle()
    [told] = await intake.emitted(HandoverReturned, subject=f"case/{case['id']}")
    assert (told.data.lapsed, told.data.owner) == (True, "bj.clerk")
    assert told.traceparent is not None
    assert told.traceparent.split("-")[1] == case["trace_id"]
    again = await post(number, "handover", receiver="bj.manager", reason="改转")
    assert again.status_code == 200
    assert len(await intake.emitted(HandoverReturned, subject=f"case/{case['id']}")) == 1


async def test_a_new_offer_settles_one_that_has_lapsed(intake: Running, case: Body, post: Any, held: Any) -> None:
    await post(case["number"], "handover", receiver="bj.clerk2", reason="请接手")
    await intake.fetch(
        "UPDATE handover SET answer_until = now() - interval '1 second' WHERE case_id = $1", UUID(case["id"])
    )
    assert (await post(case["number"], "handover", receiver="bj.manager", reason="改转")).status_code == 200
    assert [each["state"] for each in (await held(case["number"]))["handovers"]] == ["lapsed", "offered"]


@pytest.mark.req("I-05")
async def test_a_case_for_a_department_nobody_knows_goes_through_the_coordinator(case: Body, post: Any) -> None:
    answer = await post(case["number"], "handover", department="unheard-of", reason="不清楚归谁")
    assert answer.status_code == 200, answer.text
    assert answer.json()["handover"]["receiver"] == "bj.coordinator"


async def test_the_receiver_sees_what_waits_for_their_answer_page_by_page(
    intake: Running, post: Any, register: Any, matter: Callable[..., Body], fields: Fields
) -> None:
    headers = intake.token("bj.general", ["beijing"], ["general_manager"])

    async def waiting(**parameters: Any) -> httpx.Response:
        return await intake.http.get("/api/handovers", params=parameters, headers=headers)

    numbers = [(await register(matter(subject=f"第{position}件"))).json()["number"] for position in range(3)]
    for number in numbers:
        await post(number, "handover", receiver="bj.general", reason="请接手")
    first = (await waiting(limit=2)).json()
    rest = (await waiting(limit=2, after=first["next"])).json()
    assert [each["number"] for each in first["items"] + rest["items"]] == numbers
    assert rest["next"] is None
    assert first["items"][0]["subject"] == "第0件"
    for number in numbers:
        await post(number, "handover/return", "bj.general", "general_manager", reason="不归我")
    assert (await waiting()).json()["items"] == []
    bad = await waiting(after="somewhere")
    assert (bad.status_code, fields(bad)) == (422, ["after"])


async def test_an_offer_is_overtaken_when_the_case_passes_or_ends_otherwise(
    case: Body, post: Any, held: Any, register: Any, matter: Callable[..., Body]
) -> None:
    await post(case["number"], "handover", receiver="bj.clerk2", reason="请接手")
    await post(case["number"], "assign", "bj.manager", "manager", owner="bj.general")
    shown = await held(case["number"])
    assert shown["handovers"][0]["state"] == "overtaken"
    assert [each["person"] for each in shown["chain"]] == ["bj.clerk", "bj.general"]
    other = (await register(matter())).json()
    await post(other["number"], "handover", receiver="bj.clerk2", reason="请接手")
    await post(other["number"], "withdraw", reason="撤回")
    shown = await held(other["number"])
    assert shown["handovers"][0]["state"] == "overtaken"
    assert shown["chain"][0]["until"] is not None, "nobody is responsible for what has ended"


async def test_a_bad_offer_names_the_field(case: Body, post: Any, fields: Fields, held: Any) -> None:
    for body, field in (
        ({"receiver": "bj.nobody", "reason": "转"}, "receiver"),
        ({"receiver": "cd.clerk", "reason": "转"}, "receiver"),
        ({"receiver": "bj.clerk2"}, "reason"),
        ({"receiver": "bj.clerk2", "reason": "转", "phone": "none"}, "phone"),
    ):
        answer = await post(case["number"], "handover", **body)
        assert (answer.status_code, fields(answer)) == (422, [field]), answer.text
    assert (await held(case["number"]))["handovers"] == []


async def test_words_and_phone_of_a_handover_rest_encrypted_and_leave_in_no_event(
    intake: Running, case: Body, post: Any
) -> None:
    await post(case["number"], "handover", receiver="bj.clerk2", reason="保密的缘由", phone="010 7777 8888")
    [row] = await intake.fetch("SELECT reason, phone FROM handover WHERE case_id = $1", UUID(case["id"]))
    assert "保密的缘由".encode() not in row["reason"]
    assert b"7777" not in row["phone"]
    [told] = await intake.emitted(HandoverOffered, subject=f"case/{case['id']}")
    assert "7777" not in told.data.model_dump_json()


@pytest.mark.req("I-05", "I-09")
async def test_the_liability_view_says_who_answers_and_how_long_each_had_the_case(
    intake: Running, case: Body, post: Any, held: Any
) -> None:
    number = case["number"]
    await post(number, "handover", receiver="bj.clerk2", reason="请接手")
    await post(number, "handover/accept", "bj.clerk2")
    now, clock = datetime.now(UTC), uuid4()
    usual: Body = {
        "branch": "beijing",
        "clock_id": clock,
        "timed_subject": f"case/{case['id']}",
        "pack": "labour-dispatch",
        "policy": "complaint",
        "target": "first_response",
        "clause": "004 三(六)",
    }
    due = now + 2 * HOUR
    responsible = Responsible.model_validate(
        {"owner": "bj.clerk2", "department": "customer-service", "delegate": "bj.manager"}
    )
    await intake.hears(
        CloudEvent.of(ClockStarted(**usual, started_at=now, due_at=due), source="/shouwen/sla", time=now),
        CloudEvent.of(ClockBreached(**usual, due_at=due, responsible=responsible), source="/shouwen/sla", time=due),
    )
    [found] = (await held(number, "liability"))["clocks"]
    assert (found["principal"], found["delegate"], found["department"]) == (
        "bj.clerk2",
        "bj.manager",
        "customer-service",
    )
    assert (found["target"], found["clause"]) == ("first_response", "004 三(六)")
    assert [(each["person"], each["minutes"]) for each in found["held"]] == [("bj.clerk2", 120.0)]
    entries = await intake.fetch(
        "SELECT details FROM heard_fact WHERE case_id = $1 AND type = 'clock.breached.v1'", UUID(case["id"])
    )
    assert json.loads(entries[0]["details"])["delegate"] == "bj.manager"


async def test_custody_is_of_ones_own_branch(intake: Running, case: Body) -> None:
    foreign = intake.token("cd.clerk", ["chengdu"], ["clerk"])
    for view in ("custody", "liability"):
        answer = await intake.http.get(f"/api/cases/{case['number']}/{view}", headers=foreign)
        assert answer.status_code == 404


@pytest.mark.req("I-05")
async def test_cases_of_before_the_chain_was_kept_get_it_from_their_facts(
    intake: Running, case: Body, post: Any, held: Any
) -> None:
    number, case_id = case["number"], UUID(case["id"])
    await post(number, "assign", "bj.manager", "manager", owner="bj.clerk2")
    await post(number, "assign", "bj.manager", "manager", owner="bj.general", department="general-office")
    await post(number, "withdraw", "bj.manager", "manager", reason="撤回")
    kept = (await held(number))["chain"]
    migration = resources.files("shouwen.intake") / "sql" / "migrations" / "0003_life_cycle.sql"
    [backfill] = [each for each in migration.read_text(encoding="utf-8").split(";\n") if "INSERT INTO custody" in each]
    owner = await asyncpg.connect(intake.owner_url)
    try:
        attempt = owner.transaction()
        await attempt.start()
        await owner.execute("DELETE FROM custody")
        await owner.execute(backfill)
        rows = await owner.fetch(
            "SELECT person, department, since, until FROM custody WHERE case_id = $1 ORDER BY id", case_id
        )
        await attempt.rollback()
    finally:
        await owner.close()
    assert [(row["person"], row["department"], row["since"], row["until"]) for row in rows] == [
        (
            link["person"],
            link["department"],
            datetime.fromisoformat(link["since"]),
            datetime.fromisoformat(link["until"]),
        )
        for link in kept
    ]
