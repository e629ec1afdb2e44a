"""Pauses that end by themselves, caps, extensions, and what is told of them; late matters told once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from clock_facts import (
    clock,
    composition,
    fact,
    happened,
    instructed,
    local,
    of_text,
    paused,
    registered,
    resolved,
    resumed,
    spans,
    time,
)

from shouwen.contracts import clock as told
from shouwen.contracts.clock import ClockBreached, EscalationRaised
from shouwen.runtime.errors import Refused
from shouwen.sla.domain.alerting import alert_once
from shouwen.sla.domain.arming import Armed, Decision, Kept, decide
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.explanation import explain
from shouwen.sla.domain.fact import Fact
from shouwen.sla.domain.instant import micros
from shouwen.sla.domain.instruction import (
    CannotExtend,
    CannotPause,
    CannotResume,
    Extending,
    Pausing,
    Resuming,
    check,
)

CAPPED = """\
pack: capped
version: 1
effective_from: 2026-01-01
title: t
defaults:
  pausable: [{reason: awaiting_requester, at_most: 2, unit: calendar_hours}, awaiting_third_party]
policies:
  complaint:
    start: {event: case.registered.v1, at: received_at, when: {case_type: complaint}}
    stop: case.resolved.v1
    pause: {event: case.paused.v1, at: paused_at, until: expected_until}
    resume: case.resumed.v1
    targets:
      resolution: {limit: 8, unit: calendar_hours, warn_at: [50%], clause: c}
"""


def capped(facts: Sequence[Fact]) -> Clock:
    [one] = of_text(CAPPED).evaluate("beijing", "case/1", facts)
    return one


# --- pauses that end by themselves ----------------------------------------------------------------------------------


@pytest.mark.req("S-01")
def test_a_pause_ends_by_itself_when_the_answer_was_expected() -> None:
    facts = [registered("2026-11-20T09:00"), paused("2026-11-20T10:00", "2026-11-20T12:00")]
    response = clock(facts, "first_response", "labour-dispatch")
    assert local(response.due_at) == "2026-11-21 11:00"
    assert response.deadline_stands
    assert response.state_at(time("2026-11-20T11:00")) == "paused"
    assert response.state_at(time("2026-11-20T12:00")) == "running"
    assert response.wakes_at(time("2026-11-20T11:00")) == response.pauses[0].ends
    assert response.wakes_at(time("2026-11-20T12:00")) is None


def test_it_ends_earlier_when_it_is_resumed_and_lasts_longer_when_it_is_paused_anew() -> None:
    waiting = [registered("2026-11-20T09:00"), paused("2026-11-20T10:00", "2026-11-20T12:00")]
    early = clock([*waiting, resumed("2026-11-20T11:00")], "first_response", "labour-dispatch")
    assert spans(early) == [("2026-11-20 10:00", "2026-11-20 11:00", "awaiting_requester")]
    late = clock([*waiting, resumed("2026-11-20T13:00")], "first_response", "labour-dispatch")
    assert local(late.due_at) == "2026-11-21 11:00", "it had resumed by itself"
    again = clock([*waiting, paused("2026-11-20T11:30", "2026-11-20T15:00")], "first_response", "labour-dispatch")
    assert local(again.due_at) == "2026-11-21 14:00"


def test_an_end_while_it_is_paused_until_later_credits_the_pause_so_far() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        paused("2026-11-20T10:00", "2026-11-20T20:00"),
        resolved("2026-11-20T12:00"),
    ]
    done = clock(facts, "first_response", "labour-dispatch")
    assert (done.state, local(done.due_at)) == ("completed", "2026-11-21 11:00")


@pytest.mark.req("S-01")
def test_a_reason_is_used_up_at_its_cap_all_pauses_together() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        paused("2026-11-20T10:00"),
        resumed("2026-11-20T11:00"),
        paused("2026-11-20T12:00"),
    ]
    assert spans(capped(facts)) == [
        ("2026-11-20 10:00", "2026-11-20 11:00", "awaiting_requester"),
        ("2026-11-20 12:00", "2026-11-20 13:00", "awaiting_requester"),
    ]
    used_up = [*facts, paused("2026-11-20T14:00")]
    assert capped(used_up) == capped(facts)
    other = [*facts, paused("2026-11-20T14:00", reason="awaiting_third_party")]
    assert capped(other).state == "paused"
    segments = explain(capped(facts), composition().timetable)
    assert sum(segment.counted for segment in segments) == capped(facts).allowance.amount


def test_a_statutory_clock_stands_above_every_pause() -> None:
    report = happened("dispute.reported.v1", "reported_at", "2026-11-20T09:00")
    facts = [report, paused("2026-11-20T10:00", "2026-11-20T12:00"), instructed("pause", "2026-11-20T13:00")]
    assert clock(facts, "written_plan", "labour-dispatch").pauses == ()


# --- extensions -----------------------------------------------------------------------------------------------------


def extended(at: str, units: int, **data: Any) -> Fact:
    return instructed("extend", at, "complex_matter", units=units, informed_at=time(at).isoformat(), **data)


@pytest.mark.req("S-01")
def test_more_time_approved_before_the_deadline_counts_in_the_targets_unit() -> None:
    facts = [registered("2026-11-20T09:00"), extended("2026-11-24T17:00", 1)]
    plan = clock(facts, "written_plan", "labour-dispatch")
    assert local(plan.due_at) == "2026-11-25 18:00"
    segments = explain(plan, composition().timetable)
    assert sum(segment.counted for segment in segments) == plan.allowance.amount


@pytest.mark.parametrize(
    ("target", "pack", "begin", "extension"),
    [
        ("written_plan", "labour-dispatch", registered("2026-11-20T09:00"), extended("2026-11-24T18:00", 1)),
        ("written_plan", "labour-dispatch", registered("2026-11-20T09:00"), extended("2026-11-23T10:00", 3)),
        (
            "written_plan",
            "labour-dispatch",
            happened("dispute.reported.v1", "reported_at", "2026-11-20T09:00"),
            extended("2026-11-20T10:00", 1),
        ),
        (
            "promise",
            "hr-licence",
            registered("2026-11-20T09:00", promised_at=time("2026-11-20T17:00").isoformat()),
            extended("2026-11-20T10:00", 1),
        ),
    ],
)
def test_too_late_too_much_statutory_or_agreed_is_not_extended(
    target: str, pack: str, begin: Fact, extension: Fact
) -> None:
    assert clock([begin, extension], target, pack).due_at == clock([begin], target, pack).due_at


# --- what a person is refused, and why ------------------------------------------------------------------------------

NOW = time("2026-11-20T12:00")
MANAGER = frozenset({"general_manager"})
DISPUTE = happened("dispute.reported.v1", "reported_at", "2026-11-20T09:00")
MORE = Extending(1, "complex_matter", NOW)
WAITING = Pausing("awaiting_requester")


@pytest.mark.parametrize(
    ("facts", "target", "asked", "roles", "now", "refusal", "words"),
    [
        ([DISPUTE], "written_plan", WAITING, MANAGER, NOW, CannotPause, "duty by law (004 三(五))"),
        ([DISPUTE], "written_plan", MORE, MANAGER, NOW, CannotExtend, "nobody may extend it"),
        ([registered("2026-11-20T09:00")], "first_response", Resuming(), MANAGER, NOW, CannotResume, "not paused"),
        (
            [registered("2026-11-20T09:00"), paused("2026-11-20T10:00")],
            "first_response",
            WAITING,
            MANAGER,
            NOW,
            CannotPause,
            "Resume it first",
        ),
        (
            [registered("2026-11-20T09:00")],
            "first_response",
            Pausing("lunch"),
            MANAGER,
            NOW,
            Refused,
            "awaiting_requester",
        ),
        (
            [registered("2026-11-20T09:00")],
            "first_response",
            Pausing("awaiting_requester", NOW),
            MANAGER,
            NOW,
            Refused,
            "expected_until",
        ),
        (
            [registered("2026-11-18T09:00")],
            "first_response",
            WAITING,
            MANAGER,
            NOW,
            CannotPause,
            "would only hide that",
        ),
        (
            [registered("2026-11-20T09:00"), resolved("2026-11-20T10:00")],
            "first_response",
            WAITING,
            MANAGER,
            NOW,
            CannotPause,
            "Reopen",
        ),
        ([registered("2026-11-18T09:00")], "first_response", MORE, MANAGER, NOW, CannotExtend, "before it"),
        (
            [registered("2026-11-20T09:00")],
            "first_response",
            MORE,
            frozenset({"clerk"}),
            NOW,
            CannotExtend,
            "general_manager to approve",
        ),
        (
            [registered("2026-11-20T09:00")],
            "first_response",
            Extending(25, "complex_matter", NOW),
            MANAGER,
            NOW,
            Refused,
            "at most 24",
        ),
        (
            [registered("2026-11-20T09:00")],
            "first_response",
            Extending(1, "complex_matter", NOW + timedelta(hours=1)),
            MANAGER,
            NOW,
            Refused,
            "Tell the requester first",
        ),
    ],
)
def test_a_refusal_says_why_and_what_to_do(
    facts: list[Fact],
    target: str,
    asked: Pausing | Resuming | Extending,
    roles: frozenset[str],
    now: datetime,
    refusal: type[Refused],
    words: str,
) -> None:
    with pytest.raises(refusal) as refused:
        check(clock(facts, target, "labour-dispatch"), asked, roles, now)
    assert words in str(refused.value)
    assert refused.value.remedy


# --- what is told ---------------------------------------------------------------------------------------------------


def kept(armed: Armed) -> Kept:
    each = armed.clock
    return Kept(
        clock_id=each.clock_id,
        state=armed.state,
        breached=armed.breached,
        started_at=each.started_at,
        due_at=each.due_at,
        deadline_stands=each.deadline_stands,
        ended_at=each.ended_at,
        provisional=each.provisional,
        pauses=each.pauses,
        instants=tuple(step.at for step in each.steps),
        step=armed.step,
        generation=armed.generation,
        fired_at=armed.fired_at,
        owner=each.responsible.owner,
        department=each.responsible.department,
        extensions=tuple(extension.at for extension in each.extensions),
    )


def decided(facts: list[Fact], before: Armed | None, now: str) -> tuple[Armed | None, list[str]]:
    decision = decide(
        clock(facts, "first_response", "labour-dispatch"), None if before is None else kept(before), time(now)
    )
    return decision.armed or before, [telling.event.event_type for telling in decision.tellings]


def test_a_pause_that_ends_by_itself_is_told_when_it_begins_and_when_it_ends() -> None:
    facts = [registered("2026-11-20T09:00")]
    armed, _ = decided(facts, None, "2026-11-20T09:01")
    facts.append(paused("2026-11-20T10:00", "2026-11-20T12:00"))
    armed, tellings = decided(facts, armed, "2026-11-20T10:00")
    assert tellings == [told.ClockPaused.event_type]
    assert armed is not None and armed.state == "paused"
    assert decided(facts, armed, "2026-11-20T11:00")[1] == []
    armed, tellings = decided(facts, armed, "2026-11-20T12:00")
    assert tellings == [told.ClockResumed.event_type]
    assert armed is not None and armed.state == "running"
    assert decided(facts, armed, "2026-11-20T12:01")[1] == []


def test_an_extension_is_told_once_and_not_as_a_recalculation() -> None:
    facts = [registered("2026-11-20T09:00")]
    armed, _ = decided(facts, None, "2026-11-20T09:01")
    facts.append(extended("2026-11-20T10:00", 2))
    armed, tellings = decided(facts, armed, "2026-11-20T10:00")
    assert tellings == [told.ClockExtended.event_type]
    assert decided(facts, armed, "2026-11-20T10:01")[1] == []


def decisions(facts: list[Fact], now: str, *packs: str) -> list[Decision]:
    found = composition(*packs).evaluate("beijing", "case/1", facts, time(now))
    return alert_once([decide(each, None, time(now)) for each in found], time(now))


def events_of(found: list[Decision], kind: type[Any]) -> list[Any]:
    return [telling.event for each in found for telling in each.tellings if isinstance(telling.event, kind)]


@pytest.mark.req("S-11", "S-16")
def test_an_injury_reported_on_the_28th_day_tells_each_role_once() -> None:
    injury = fact(
        "injury.reported.v1",
        "2026-11-28T10:00",
        occurred_at=time("2026-10-31T10:00").isoformat(),
        reported_at=time("2026-11-27T08:00").isoformat(),
    )
    found = decisions([injury], "2026-11-28T10:00", "labour-dispatch")
    breached: list[ClockBreached] = events_of(found, ClockBreached)
    by_target = {each.target: each for each in breached}
    assert set(by_target) == {"client_notice", "on_site", "written_plan", "authority_notice"}
    lead = by_target["authority_notice"]
    assert lead.told_with is None
    assert {each.told_with for each in breached if each is not lead} == {lead.clock_id}
    raised: list[EscalationRaised] = events_of(found, EscalationRaised)
    assert sorted(each.role for each in raised) == ["general_manager", "manager"]
    assert {each.target for each in raised} == {"authority_notice"}
    to_manager = next(each for each in raised if each.role == "manager")
    assert set(to_manager.also) == {by_target["on_site"].clock_id, by_target["written_plan"].clock_id}
    assert not events_of(found, told.ClockAtRisk)
    armed = {each.armed.clock.target.name: each.armed for each in found if each.armed is not None}
    filing = armed.pop("determination_filing")
    assert filing.clock.steps[filing.step].kind == "at_risk", "what can still be met is warned of"
    for each in armed.values():
        assert each.next_fire_at is None or each.next_fire_at > micros(time("2026-11-28T10:00"))


def test_one_late_clock_is_left_to_the_ticker_as_ever() -> None:
    [response, plan] = [
        each
        for each in decisions([registered("2026-11-19T09:00")], "2026-11-20T10:00", "labour-dispatch")
        if each.armed is not None and each.armed.clock.target.name in {"first_response", "written_plan"}
    ]
    assert [telling.event.event_type for telling in response.tellings] == [told.ClockStarted.event_type]
    assert response.armed is not None and response.armed.next_fire_at == response.armed.clock.due_at
    assert plan.armed is not None and not plan.armed.breached
