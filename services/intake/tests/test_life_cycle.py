"""The life cycle of a case, without a database."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouwen.contracts.case import CaseState, CaseType, Severity
from shouwen.contracts.casework import CaseEvent
from shouwen.intake.domain import commands as life
from shouwen.intake.domain.case import Actor, AlreadyOwner, Case, MergedAway, NotInThisState, Pause
from shouwen.intake.domain.commands import AlreadyAcknowledged, ConsentMissing, MustBeOffered, NotAnswered
from shouwen.intake.domain.dossier import Dossier, InvestigationMissing, PartsOpen, PartsUnanswered
from shouwen.intake.domain.life_cycle import ENDED_STATES, LIFE_CYCLE, OPEN_STATES, Command
from shouwen.intake.domain.numbering import case_number, registration_year
from shouwen.runtime.errors import Forbidden, Invalid, ShouwenError

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
OWNER = Actor("bj.clerk", frozenset({"clerk"}), frozenset({"beijing"}))
COLLEAGUE = Actor("bj.clerk2", frozenset({"clerk"}), frozenset({"beijing"}))
MANAGER = Actor("bj.manager", frozenset({"manager"}), frozenset({"beijing"}))
FOREIGN_MANAGER = Actor("cd.manager", frozenset({"manager"}), frozenset({"chengdu"}))

COMPLAINT = Case(
    id=UUID(int=1),
    number="BJ-2026-000001",
    branch="beijing",
    type="complaint",
    severity="ordinary",
    channel="phone",
    relation="dispatched_employee",
    state="received",
    received_at=NOON,
    registered_at=NOON,
    registrar="bj.clerk",
    owner="bj.clerk",
    department="customer-service",
    promised_at=None,
    traceparent=None,
)
HOUR = timedelta(hours=1)
LATER = NOON + HOUR


def test_a_case_is_assigned_answered_planned_and_resolved() -> None:
    assigned, fact = life.assign(COMPLAINT, owner="bj.clerk2", department="claims", actor=MANAGER, now=LATER)
    assert (assigned.state, assigned.owner, assigned.department) == ("assigned", "bj.clerk2", "claims")
    assert (fact.owner, fact.assigned_by, fact.assigned_at) == ("bj.clerk2", "bj.manager", LATER)
    planned, _ = life.deliver_plan(assigned, delivered_at=None, actor=COLLEAGUE, now=LATER)
    assert (planned.state, planned.plan_delivered_at) == ("in_progress", LATER)
    replied, _ = life.reply(planned, replied_at=None, written=True, actor=COLLEAGUE, now=LATER)
    assert (replied.state, replied.replied_at) == ("responded", LATER)
    resolved, _ = life.resolve(replied, resolved_at=None, actor=COLLEAGUE, now=LATER)
    assert (resolved.state, resolved.ended_at) == ("resolved", LATER)


@pytest.mark.req("I-06")
def test_a_matter_can_be_answered_on_the_spot() -> None:
    replied, fact = life.reply(COMPLAINT, replied_at=None, written=False, actor=OWNER, now=NOON)
    assert replied.state == "responded"
    assert fact.replied_by == "bj.clerk"


def test_the_first_answer_counts_however_many_follow() -> None:
    replied, _ = life.reply(COMPLAINT, replied_at=None, written=False, actor=OWNER, now=LATER)
    again, _ = life.reply(replied, replied_at=None, written=True, actor=OWNER, now=LATER + timedelta(hours=3))
    assert again.replied_at == LATER


def test_nothing_can_be_done_with_a_case_that_has_ended() -> None:
    for state in ("resolved", "withdrawn"):
        ended = replace(COMPLAINT, state=state)
        with pytest.raises(NotInThisState, match=f"is {state}"):
            life.reply(ended, replied_at=None, written=False, actor=OWNER, now=LATER)


def test_an_unanswered_complaint_cannot_be_resolved_and_the_refusal_says_what_is_missing() -> None:
    with pytest.raises(NotAnswered) as refused:
        life.resolve(COMPLAINT, resolved_at=None, actor=OWNER, now=LATER)
    assert refused.value.field == "reply"
    assert "/reply" in (refused.value.remedy or "")


def test_a_suggestion_may_end_unanswered() -> None:
    suggestion = replace(COMPLAINT, type="suggestion", severity=None)
    resolved, _ = life.resolve(suggestion, resolved_at=None, actor=OWNER, now=LATER)
    assert resolved.state == "resolved"


@pytest.mark.req("I-05")
def test_only_the_owner_or_who_directs_the_branch_hands_over_resolves_or_withdraws() -> None:
    answered = replace(COMPLAINT, replied_at=NOON, state="responded")
    for stranger in (COLLEAGUE, FOREIGN_MANAGER):
        with pytest.raises(Forbidden, match=r"bj\.clerk"):
            life.assign(answered, owner="bj.coordinator", department=None, actor=stranger, now=LATER)
        with pytest.raises(Forbidden):
            life.resolve(answered, resolved_at=None, actor=stranger, now=LATER)
        with pytest.raises(Forbidden):
            life.withdraw(answered, withdrawn_at=None, actor=stranger, now=LATER)
    assert life.withdraw(answered, withdrawn_at=None, actor=MANAGER, now=LATER)[0].state == "withdrawn"


def test_a_case_cannot_be_handed_to_who_has_it() -> None:
    with pytest.raises(AlreadyOwner):
        life.assign(COMPLAINT, owner="bj.clerk", department=None, actor=MANAGER, now=LATER)


@pytest.mark.req("I-05")
def test_an_owner_cannot_pass_a_case_on_before_the_receiver_accepts_unless_they_direct_the_work() -> None:
    with pytest.raises(MustBeOffered) as refused:
        life.assign(COMPLAINT, owner="bj.clerk2", department=None, actor=OWNER, now=LATER)
    assert "/handover" in (refused.value.remedy or "")
    own = replace(COMPLAINT, owner="bj.manager")
    assert life.assign(own, owner="bj.clerk2", department=None, actor=MANAGER, now=LATER)[0].owner == "bj.clerk2"
    delegated = replace(own, delegates=("bj.clerk",))
    with pytest.raises(MustBeOffered):
        life.assign(delegated, owner="bj.clerk2", department=None, actor=OWNER, now=LATER)


@pytest.mark.req("I-10")
def test_a_major_complaint_ends_after_an_investigation_was_ruled_on_only() -> None:
    major = replace(COMPLAINT, severity="major", replied_at=NOON, state="responded")
    with pytest.raises(InvestigationMissing) as missing:
        life.resolve(major, resolved_at=None, actor=OWNER, now=LATER)
    assert (missing.value.field, "/investigation" in (missing.value.remedy or "")) == ("investigation", True)
    resolved, _ = life.resolve(major, resolved_at=None, actor=OWNER, now=LATER, dossier=Dossier(is_investigated=True))
    assert life.close(resolved, actor=OWNER, now=LATER, dossier=Dossier(is_investigated=True))[0].state == "closed"
    with pytest.raises(InvestigationMissing):
        life.close(resolved, actor=OWNER, now=LATER)
    for other in (
        replace(major, severity="ordinary"),
        replace(major, parent_id=UUID(int=2)),
        replace(major, found_malicious_at=NOON),
    ):
        assert life.resolve(other, resolved_at=None, actor=OWNER, now=LATER)[0].state == "resolved"
    assert life.withdraw(major, withdrawn_at=None, actor=OWNER, now=LATER)[0].state == "withdrawn"


def test_what_is_recorded_lies_between_receipt_and_now() -> None:
    with pytest.raises(Invalid) as early:
        life.reply(COMPLAINT, replied_at=NOON - timedelta(seconds=1), written=False, actor=OWNER, now=LATER)
    assert early.value.field == "replied_at"
    with pytest.raises(Invalid) as future:
        life.resolve(
            replace(COMPLAINT, replied_at=NOON), resolved_at=LATER + timedelta(minutes=1), actor=OWNER, now=LATER
        )
    assert future.value.field == "resolved_at"


def test_a_clients_clock_that_runs_a_little_ahead_is_forgiven() -> None:
    replied, fact = life.reply(
        COMPLAINT, replied_at=LATER + timedelta(seconds=3), written=False, actor=OWNER, now=LATER
    )
    assert replied.replied_at == fact.replied_at == LATER


STEP: dict[Command, Callable[[Case], tuple[Case, CaseEvent]]] = {
    "acknowledge": lambda case: life.acknowledge(case, acknowledged_at=None, actor=OWNER, now=LATER),
    "assign": lambda case: life.assign(case, owner="bj.clerk2", department=None, actor=MANAGER, now=LATER),
    "plan": lambda case: life.deliver_plan(case, delivered_at=None, actor=OWNER, now=LATER),
    "pause": lambda case: life.pause(case, reason="awaiting_requester", expected_until=None, actor=OWNER, now=LATER),
    "resume": lambda case: life.resume(case, by="bj.clerk", now=LATER),
    "reply": lambda case: life.reply(case, replied_at=None, written=False, actor=OWNER, now=LATER),
    "promise": lambda case: life.promise(
        case, promised_at=LATER + HOUR, requester_consented=False, due_at=None, actor=OWNER, now=LATER
    ),
    "reclassify": lambda case: life.reclassify(case, type="inquiry", severity=None, actor=OWNER, now=LATER),
    "resolve": lambda case: life.resolve(case, resolved_at=None, actor=OWNER, now=LATER),
    "close": lambda case: life.close(case, actor=OWNER, now=LATER),
    "withdraw": lambda case: life.withdraw(case, withdrawn_at=None, actor=OWNER, now=LATER),
    "reopen": lambda case: life.reopen(
        case, reason="dissatisfied", owner="bj.clerk", department=None, by="bj.clerk2", now=LATER
    ),
}
"""The commands on a case by itself; those with another case or person beside it have tests of their own."""


@pytest.mark.parametrize("state", get_args(CaseState))
@pytest.mark.parametrize("command", STEP)
def test_each_command_leads_where_the_table_says_and_is_refused_elsewhere(command: Command, state: CaseState) -> None:
    case = replace(
        COMPLAINT,
        state=state,
        replied_at=NOON,
        merged_into_number="BJ-2026-000007" if state == "merged" else None,
        pause=Pause("awaiting_requester", NOON, None) if state == "pending" else None,
    )
    wanted = LIFE_CYCLE[command].get(state)
    if wanted is None:
        with pytest.raises(MergedAway if state == "merged" else NotInThisState, match=case.number) as refused:
            STEP[command](case)
        assert refused.value.remedy
        return
    changed, fact = STEP[command](case)
    assert changed.state == wanted
    assert (fact.case_id, fact.number, fact.branch) == (case.id, case.number, case.branch)
    assert (changed.pause is not None) == (changed.state == "pending"), "a pause stands exactly while the case waits"
    assert (changed.ended_at is not None) == (changed.state in ENDED_STATES) or command == "close"


def test_the_table_knows_every_command_and_no_other_state() -> None:
    assert set(LIFE_CYCLE) == set(get_args(Command))
    for steps in LIFE_CYCLE.values():
        assert {*steps, *steps.values()} <= set(get_args(CaseState))


def test_every_state_is_reached_and_every_open_one_can_be_left_for_an_end() -> None:
    reached: set[CaseState] = {"received"}
    for _ in get_args(CaseState):
        reached |= {steps[state] for steps in LIFE_CYCLE.values() for state in reached if state in steps}
    assert reached == set(get_args(CaseState))
    for state in OPEN_STATES:
        assert {"resolved", "withdrawn"} <= {steps[state] for steps in LIFE_CYCLE.values() if state in steps}


@given(st.lists(st.sampled_from(sorted(STEP)), max_size=30))
def test_no_command_leaves_an_ended_state_but_reopening(commands: list[Command]) -> None:
    case = COMPLAINT
    for command in commands:
        try:
            changed, _ = STEP[command](case)
        except ShouwenError:
            continue
        if not case.is_open:
            assert command == "reopen" or not changed.is_open
        assert changed.cycle == case.cycle + (command == "reopen")
        assert changed.number == case.number
        case = changed


@given(st.lists(st.sampled_from(sorted(get_args(Command)))))
def test_by_the_table_alone_an_ended_case_is_opened_by_reopening_only_and_a_merged_one_never(
    commands: list[Command],
) -> None:
    state: CaseState = "received"
    for command in commands:
        to = LIFE_CYCLE[command].get(state, state)
        if state in ENDED_STATES and to in OPEN_STATES:
            assert command == "reopen"
        assert state != "merged" or to == "merged"
        state = to


def test_waiting_goes_on_beside_an_answer_and_work_goes_on_after_it() -> None:
    waiting, fact = life.pause(
        COMPLAINT, reason="awaiting_third_party", expected_until=LATER + HOUR, actor=OWNER, now=LATER
    )
    assert (fact.reason, fact.expected_until) == ("awaiting_third_party", LATER + HOUR)
    replied, _ = life.reply(waiting, replied_at=None, written=False, actor=OWNER, now=LATER)
    assert (replied.state, replied.replied_at) == ("pending", LATER)
    resumed, _ = life.resume(replied, by="bj.clerk2", now=LATER)
    assert (resumed.state, resumed.pause, resumed.replied_at) == ("in_progress", None, LATER)
    with pytest.raises(Invalid) as passed:
        life.pause(resumed, reason="awaiting_requester", expected_until=NOON, actor=OWNER, now=LATER)
    assert passed.value.field == "expected_until"


def test_a_receipt_is_acknowledged_once() -> None:
    acknowledged, fact = life.acknowledge(COMPLAINT, acknowledged_at=None, actor=COLLEAGUE, now=LATER)
    assert (acknowledged.state, fact.acknowledged_by) == ("acknowledged", "bj.clerk2")
    with pytest.raises(AlreadyAcknowledged):
        life.acknowledge(acknowledged, acknowledged_at=None, actor=OWNER, now=LATER)


@pytest.mark.req("I-19")
def test_a_case_taken_up_again_must_be_answered_anew() -> None:
    ended = replace(COMPLAINT, state="closed", replied_at=NOON, ended_at=NOON, promised_at=NOON, acknowledged_at=NOON)
    again, fact = life.reopen(
        ended, reason="dissatisfied", owner="bj.clerk2", department="claims", by="bj.manager", now=LATER
    )
    assert (again.state, again.cycle, again.owner, again.department) == ("in_progress", 2, "bj.clerk2", "claims")
    assert {again.replied_at, again.ended_at, again.promised_at, again.acknowledged_at} == {None}
    assert (fact.cycle, fact.reason, fact.owner, fact.reopened_by) == (2, "dissatisfied", "bj.clerk2", "bj.manager")
    with pytest.raises(NotAnswered):
        life.resolve(again, resolved_at=None, actor=COLLEAGUE, now=LATER)


@pytest.mark.req("I-02")
def test_a_kind_is_corrected_by_who_answers_for_it_and_the_fact_repeats_the_receipt() -> None:
    changed, fact = life.reclassify(COMPLAINT, type="report", severity=None, actor=OWNER, now=LATER)
    assert (changed.type, changed.severity, changed.state) == ("report", None, "received")
    assert (fact.case_type, fact.previous_type, fact.previous_severity) == ("report", "complaint", "ordinary")
    assert fact.received_at == COMPLAINT.received_at
    major, _ = life.reclassify(COMPLAINT, type="complaint", severity="major", actor=MANAGER, now=LATER)
    assert major.severity == "major"
    wrong: list[tuple[CaseType, Severity | None]] = [
        ("complaint", "ordinary"),
        ("complaint", None),
        ("report", "major"),
    ]
    for type, severity in wrong:
        with pytest.raises(Invalid):
            life.reclassify(COMPLAINT, type=type, severity=severity, actor=OWNER, now=LATER)
    with pytest.raises(Forbidden):
        life.reclassify(COMPLAINT, type="report", severity=None, actor=COLLEAGUE, now=LATER)


@pytest.mark.req("I-07")
@pytest.mark.parametrize(
    ("promised", "due", "to", "needs_consent"),
    [
        (None, None, 5, False),
        (None, 4, 3, False),
        (None, 4, 4, False),
        (None, 4, 5, True),
        (3, None, 2, False),
        (3, None, 4, True),
        (3, 6, 4, True),
        (6, 3, 4, True),
    ],
)
def test_a_reply_is_promised_earlier_freely_and_later_with_consent_only(
    promised: int | None, due: int | None, to: int, needs_consent: bool
) -> None:
    def at(hours: int | None) -> datetime | None:
        return None if hours is None else NOON + hours * HOUR

    case, due_at, promised_at = replace(COMPLAINT, promised_at=at(promised)), at(due), NOON + to * HOUR
    if needs_consent:
        with pytest.raises(ConsentMissing) as missing:
            life.promise(case, promised_at=promised_at, requester_consented=False, due_at=due_at, actor=OWNER, now=NOON)
        assert missing.value.field == "requester_consented"
    changed, fact = life.promise(
        case, promised_at=promised_at, requester_consented=needs_consent, due_at=due_at, actor=OWNER, now=NOON
    )
    assert changed.promised_at == fact.promised_at == promised_at
    assert fact.requester_consented == needs_consent


def test_a_promise_for_a_time_that_has_passed_is_refused() -> None:
    with pytest.raises(Invalid) as passed:
        life.promise(COMPLAINT, promised_at=NOON, requester_consented=True, due_at=None, actor=OWNER, now=LATER)
    assert passed.value.field == "promised_at"


@pytest.mark.req("I-08")
def test_what_lies_beside_a_case_stands_against_its_answer_and_its_end() -> None:
    beside = Dossier(open_parts=("BJ-2026-000001-1", "BJ-2026-000001-2"), unanswered_parts=("BJ-2026-000001-2",))
    with pytest.raises(PartsUnanswered, match="BJ-2026-000001-2"):
        life.reply(COMPLAINT, replied_at=None, written=True, actor=OWNER, now=LATER, dossier=beside)
    answered = replace(COMPLAINT, replied_at=NOON, state="responded")
    with pytest.raises(PartsOpen, match="BJ-2026-000001-1, BJ-2026-000001-2"):
        life.resolve(answered, resolved_at=None, actor=OWNER, now=LATER, dossier=beside)
    with pytest.raises(PartsOpen):
        life.close(replace(answered, state="resolved"), actor=OWNER, now=LATER, dossier=beside)


@pytest.mark.req("I-01")
def test_the_year_of_a_number_is_that_of_the_branchs_wall_clock() -> None:
    new_years_eve = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert registration_year(new_years_eve, "Asia/Shanghai") == 2027
    assert registration_year(new_years_eve - timedelta(seconds=1), "Asia/Shanghai") == 2026
    assert registration_year(new_years_eve, "Europe/Berlin") == 2026
    assert case_number("BJ", 2026, 1) == "BJ-2026-000001"
    assert case_number("BJ", 2026, 1_234_567) == "BJ-2026-1234567"
