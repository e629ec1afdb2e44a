"""The life cycle of a case, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import pytest

from shouwen.contracts.case import CaseState
from shouwen.intake.domain import case as life
from shouwen.intake.domain.case import LIFE_CYCLE, OPEN_STATES, Actor, AlreadyOwner, Case, NotAnswered, NotInThisState
from shouwen.intake.domain.numbering import case_number, registration_year
from shouwen.runtime.errors import Forbidden, Invalid

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
LATER = NOON + timedelta(hours=1)


def test_a_case_is_assigned_answered_planned_and_resolved() -> None:
    assigned, fact = life.assign(COMPLAINT, owner="bj.clerk2", department="claims", actor=OWNER, now=LATER)
    assert (assigned.state, assigned.owner, assigned.department) == ("assigned", "bj.clerk2", "claims")
    assert (fact.owner, fact.assigned_by, fact.assigned_at) == ("bj.clerk2", "bj.clerk", LATER)
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
        life.assign(COMPLAINT, owner="bj.clerk", department=None, actor=OWNER, now=LATER)


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


def test_every_command_leads_from_open_states_to_known_states() -> None:
    for steps in LIFE_CYCLE.values():
        assert set(steps) == OPEN_STATES
        assert set(steps.values()) <= set(get_args(CaseState))


@pytest.mark.req("I-01")
def test_the_year_of_a_number_is_that_of_the_branchs_wall_clock() -> None:
    new_years_eve = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert registration_year(new_years_eve, "Asia/Shanghai") == 2027
    assert registration_year(new_years_eve - timedelta(seconds=1), "Asia/Shanghai") == 2026
    assert registration_year(new_years_eve, "Europe/Berlin") == 2026
    assert case_number("BJ", 2026, 1) == "BJ-2026-000001"
    assert case_number("BJ", 2026, 1_234_567) == "BJ-2026-1234567"
