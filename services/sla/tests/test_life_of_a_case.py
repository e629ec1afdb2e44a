"""Clocks follow the life of a case: corrected kinds, promises, merging, malice, reopening, months."""

import random
from datetime import datetime, timedelta

import pytest
from clock_facts import (
    clock,
    clocks,
    composition,
    fact,
    happened,
    instructed,
    local,
    of_text,
    paused,
    promised,
    reclassified,
    registered,
    reopened,
    replied,
    resolved,
    resumed,
    spans,
    time,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from shouwen.sla.domain.explanation import explain, remaining
from shouwen.sla.domain.fact import Fact


def states(facts: list[Fact], *packs: str) -> dict[tuple[str, int], tuple[str, str | None]]:
    found = composition(*packs).evaluate("beijing", "case/1", facts)
    return {(each.target.name, each.cycle): (each.state, each.reason) for each in found}


# --- the kind is corrected (I-02) -----------------------------------------------------------------------------------


@pytest.mark.req("I-02")
def test_a_corrected_kind_ends_the_old_clocks_and_the_new_ones_count_from_the_receipt() -> None:
    facts = [registered("2026-11-20T09:00", "inquiry"), reclassified("2026-11-20T11:00", "complaint")]
    assert clock(facts, "reply", "labour-dispatch").state == "cancelled"
    assert clock(facts, "reply", "labour-dispatch").reason == "reclassified"
    assert local(clock(facts, "first_response", "labour-dispatch").due_at) == "2026-11-21 09:00"


@pytest.mark.req("I-02")
def test_there_and_back_again_counts_from_the_receipt_in_another_cycle() -> None:
    facts = [
        registered("2026-11-20T09:00", "inquiry"),
        reclassified("2026-11-20T11:00", "complaint"),
        paused("2026-11-20T12:00"),
        resumed("2026-11-20T13:00"),
        reclassified("2026-11-20T15:00", "inquiry"),
    ]
    first, second = clocks(facts, "reply", "hr-licence")
    assert (first.state, first.reason, first.pauses) == ("cancelled", "reclassified", ())
    assert (second.state, second.cycle, local(second.started_at)) == ("running", 2, "2026-11-20 09:00")
    assert local(second.due_at) == "2026-11-21 10:00", "the hour of the pause is not lost"
    assert states(facts, "hr-licence")["resolution", 1] == ("cancelled", "reclassified")


@pytest.mark.req("I-02")
def test_an_answer_given_while_it_was_another_kind_counts() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        replied("2026-11-20T10:00"),
        reclassified("2026-11-20T11:00", "inquiry"),
    ]
    assert clock(facts, "reply", "hr-licence").state == "completed"


def test_what_was_met_before_the_correction_is_not_begun_again() -> None:
    facts = [
        registered("2026-11-20T09:00", "inquiry"),
        replied("2026-11-20T10:00"),
        reclassified("2026-11-20T11:00", "complaint"),
        reclassified("2026-11-20T12:00", "inquiry"),
    ]
    assert [each.state for each in clocks(facts, "reply", "hr-licence")] == ["completed"]


def test_a_department_clock_ends_with_the_kind_it_was_for() -> None:
    facts = [
        registered("2026-11-20T09:00", "inquiry"),
        happened("case.handover_accepted.v1", "accepted_at", "2026-11-20T10:00", owner="li", department="payroll"),
        reclassified("2026-11-20T11:00", "complaint"),
    ]
    assert clock(facts, "department_reply", "hr-licence").reason == "reclassified"
    assert clock(facts[:2], "reply", "hr-licence").state == "completed", "accepting it passes the inquiry on"


def test_a_corrected_severity_starts_what_is_only_for_it_and_leaves_the_rest_alone() -> None:
    facts = [
        registered("2026-11-20T09:00", severity="ordinary"),
        reclassified("2026-11-20T09:10", "complaint", severity="major"),
    ]
    found = states(facts, "insurer-head-office")
    assert found["immediate_response", 1] == ("running", None)
    assert found["reply", 1] == ("running", None)
    assert ("immediate_response", 1) not in states(facts[:1], "insurer-head-office")


# --- the promise (I-07) ---------------------------------------------------------------------------------------------


@pytest.mark.req("I-07")
def test_an_earlier_promise_takes_the_place_of_the_one_before() -> None:
    facts = [
        registered("2026-11-20T09:00", promised_at=time("2026-11-21T17:00").isoformat()),
        promised("2026-11-20T10:00", "2026-11-20T17:00"),
    ]
    assert local(clock(facts, "promise", "hr-licence").due_at) == "2026-11-20 17:00"


@pytest.mark.req("I-07")
def test_a_later_promise_needs_the_recorded_consent_of_the_requester() -> None:
    at_first = promised("2026-11-20T10:00", "2026-11-20T17:00")
    for consented, due in ((False, "2026-11-20 17:00"), (True, "2026-11-23 12:00")):
        later = promised("2026-11-20T16:00", "2026-11-23T12:00", consented=consented)
        facts = [registered("2026-11-20T09:00"), at_first, later]
        promise = clock(facts, "promise", "hr-licence")
        assert (local(promise.due_at), promise.cycle, promise.state) == (due, 1, "running")


@pytest.mark.req("I-07")
def test_a_promise_never_moves_the_clocks_of_the_policy() -> None:
    without = [registered("2026-11-20T09:00")]
    later = [*without, promised("2026-11-20T10:00", "2026-12-20T17:00", consented=True)]
    for target in ("first_response", "written_plan"):
        assert (
            clock(later, target, "labour-dispatch", "hr-licence").due_at
            == clock(without, target, "labour-dispatch", "hr-licence").due_at
        )


@pytest.mark.req("I-07", "S-07")
def test_where_the_clause_has_a_latest_time_a_promise_beyond_it_is_due_then() -> None:
    facts = [registered("2026-11-20T16:20", "inquiry"), promised("2026-11-20T16:30", "2026-11-30T12:00")]
    assert local(clock(facts, "promise", "insurer-head-office").due_at) == "2026-11-23 18:00"
    earlier = [facts[0], promised("2026-11-20T16:30", "2026-11-20T17:30")]
    assert local(clock(earlier, "promise", "insurer-head-office").due_at) == "2026-11-20 17:30"


def test_what_is_agreed_after_a_broken_promise_is_another_promise() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        promised("2026-11-20T10:00", "2026-11-20T12:00"),
        promised("2026-11-20T14:00", "2026-11-20T18:00"),
    ]
    first, second = clocks(facts, "promise", "hr-licence")
    assert (first.state, first.reason) == ("cancelled", "agreed_anew")
    assert first.is_breached(time("2027-01-01T00:00"))
    assert (second.cycle, local(second.due_at)) == (2, "2026-11-20 18:00")


def test_an_agreed_time_is_not_moved_by_a_pause_before_it_was_agreed() -> None:
    facts = [
        registered("2026-11-20T09:00", promised_at=time("2026-11-20T17:00").isoformat()),
        paused("2026-11-20T10:00"),
        resumed("2026-11-20T11:00"),
        promised("2026-11-20T12:00", "2026-11-20T16:00"),
    ]
    promise = clock(facts, "promise", "hr-licence")
    assert local(promise.due_at) == "2026-11-20 16:00"
    segments = explain(promise, composition("hr-licence").timetable)
    assert sum(segment.counted for segment in segments) == promise.allowance.amount


# --- the end, and not the end ---------------------------------------------------------------------------------------


@pytest.mark.req("I-19")
def test_merging_cancels_every_clock_of_the_merged_case() -> None:
    facts = [registered("2026-11-20T09:00"), happened("case.merged.v1", "merged_at", "2026-11-20T10:00")]
    assert set(states(facts, "labour-dispatch", "hr-licence").values()) == {("cancelled", "merged")}


@pytest.mark.req("I-03")
def test_malice_cancels_from_its_confirmation_on_and_not_before() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        happened("case.found_malicious.v1", "found_at", "2026-11-22T09:00"),
    ]
    response = clock(facts, "first_response", "labour-dispatch")
    assert (response.state, response.reason) == ("cancelled", "found_malicious")
    assert response.is_breached(time("2026-11-23T00:00")), "the limit had passed a day before"
    assert not clock(facts, "written_plan", "labour-dispatch").is_breached(time("2027-01-01T00:00"))


@pytest.mark.req("I-19")
def test_a_reopened_matter_goes_on_where_it_ended_and_the_closed_time_is_a_pause() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        resolved("2026-11-20T15:00"),
        reopened("2026-12-01T09:00"),
    ]
    again = clock(facts, "resolution", "talent-centre")
    assert (again.state, again.cycle) == ("running", 1)
    assert spans(again) == [("2026-11-20 15:00", "2026-12-01 09:00", "closed")]
    assert local(again.due_at) == "2026-12-02 03:00", "6 of 24 hours were used up"
    closed_again = [*facts, resolved("2026-12-01T12:00"), reopened("2026-12-05T12:00"), resolved("2026-12-05T13:00")]
    done = clock(closed_again, "resolution", "talent-centre")
    assert (done.state, done.is_breached(time("2027-01-01T00:00")), len(done.pauses)) == ("completed", False, 2)


@pytest.mark.req("I-19")
def test_where_the_pack_says_so_a_reopened_matter_begins_a_new_cycle_and_the_first_is_kept() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        replied("2026-11-20T10:00"),
        resolved("2026-11-20T15:00"),
        reopened("2026-12-01T09:00"),
    ]
    first, second = clocks(facts, "first_response", "labour-dispatch")
    assert (first.state, local(first.ended_at)) == ("completed", "2026-11-20 10:00")
    assert (second.state, local(second.started_at), local(second.due_at)) == (
        "running",
        "2026-12-01 09:00",
        "2026-12-02 09:00",
    )


def test_a_withdrawn_matter_can_be_taken_up_again() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        happened("case.withdrawn.v1", "withdrawn_at", "2026-11-20T10:00"),
        reopened("2026-11-21T10:00"),
    ]
    assert local(clock(facts, "resolution", "talent-centre").due_at) == "2026-11-22 09:00"


def test_a_suggestion_is_decided_and_digested() -> None:
    facts = [
        registered("2026-11-20T09:00", "suggestion", promised_at=time("2026-11-27T17:00").isoformat()),
        happened("case.digested.v1", "digested_at", "2026-11-23T09:00"),
        replied("2026-11-23T10:00"),
    ]
    digest, decision = clock(facts, "digest", "hr-licence"), clock(facts, "decision", "hr-licence")
    assert (digest.state, local(digest.due_at)) == ("completed", "2026-11-28 00:00")
    assert (decision.state, local(decision.due_at)) == ("running", "2026-11-27 17:00")
    facts.append(happened("case.suggestion_decided.v1", "decided_at", "2026-11-24T10:00"))
    assert clock(facts, "decision", "hr-licence").state == "completed"


@pytest.mark.req("V-04")
def test_a_serious_forgery_is_to_be_referred_and_an_ordinary_one_is_not() -> None:
    serious = happened("client.forgery_confirmed.v1", "confirmed_at", "2026-11-20T09:00", serious=True)
    assert local(clock([serious], "judicial_referral", "hr-licence").due_at) == "2026-11-25 18:00"
    referred = happened("client.referred.v1", "referred_at", "2026-11-23T09:00")
    assert clock([serious, referred], "judicial_referral", "hr-licence").state == "completed"
    ordinary = happened("client.forgery_confirmed.v1", "confirmed_at", "2026-11-20T09:00", serious=False)
    assert clocks([ordinary], "judicial_referral", "hr-licence") == []


# --- the day employment starts, and the day wages are due (S-13) ----------------------------------------------------


@pytest.mark.req("S-13")
@pytest.mark.parametrize(
    ("signed", "state", "breached"),
    [
        ("2026-10-30T10:00", "completed", False),
        ("2026-11-02T23:59", "completed", False),
        ("2026-11-03T00:01", "completed", True),
        (None, "running", True),
    ],
)
def test_the_labour_contract_is_signed_no_later_than_the_day_employment_starts(
    signed: str | None, state: str, breached: bool
) -> None:
    facts = [fact("employment.started.v1", "2026-11-02T09:00", started_on="2026-11-02")]
    if signed is not None:
        facts.append(happened("labour_contract.signed.v1", "signed_at", signed))
    signing = clock(facts, "contract_signing", "labour-dispatch")
    assert local(signing.due_at) == "2026-11-03 00:00"
    assert (signing.state, signing.is_breached(time("2026-11-04T00:00"))) == (state, breached)


def scheduled(at: str, day: int, first: str) -> Fact:
    return fact("payroll.scheduled.v1", at, day_of_month=day, first_month=first)


def paid(month: str, at: str) -> Fact:
    return fact("wages.paid.v1", at, month=month, paid_at=time(at).isoformat())


@pytest.mark.req("S-13")
def test_wages_have_a_clock_for_each_month_until_the_agreed_day() -> None:
    facts = [scheduled("2026-10-20T09:00", 31, "2026-11-05"), paid("2026-11-30", "2026-11-30T15:00")]
    found = composition("labour-dispatch").evaluate("beijing", "payroll/1", facts, time("2027-02-10T00:00"))
    wages = [each for each in found if each.target.name == "wage_payment"]
    assert [(each.cycle, local(each.started_at), local(each.due_at), each.state) for each in wages] == [
        (1, "2026-11-01 00:00", "2026-12-01 00:00", "completed"),
        (2, "2026-12-01 00:00", "2027-01-01 00:00", "running"),
        (3, "2027-01-01 00:00", "2027-02-01 00:00", "running"),
        (4, "2027-02-01 00:00", "2027-03-01 00:00", "running"),
        (5, "2027-03-01 00:00", "2027-04-01 00:00", "running"),
    ]
    assert wages[4].wakes_at(time("2027-02-10T00:00")) == wages[4].started_at
    assert wages[4].state_at(time("2027-02-10T00:00")) == "running"


@pytest.mark.req("S-13")
def test_a_month_that_is_paid_early_is_met_and_one_paid_late_is_breached() -> None:
    facts = [
        scheduled("2026-10-20T09:00", 10, "2026-11-01"),
        paid("2026-12-01", "2026-11-30T10:00"),
        paid("2026-11-01", "2026-11-12T10:00"),
    ]
    wages = clocks(facts, "wage_payment", "labour-dispatch")
    late, early = wages[0], wages[1]
    assert (late.state, late.is_breached(time("2027-01-01T00:00"))) == ("completed", True)
    assert (early.state, early.is_breached(time("2027-01-01T00:00"))) == ("completed", False)


@pytest.mark.req("S-13")
def test_another_agreed_day_counts_from_its_first_month_and_an_ended_payroll_has_no_more_months() -> None:
    facts = [
        scheduled("2026-10-20T09:00", 10, "2026-11-01"),
        scheduled("2026-11-20T09:00", 15, "2027-01-01"),
        fact("payroll.ended.v1", "2027-02-01T09:00", last_month="2027-02-28"),
    ]
    found = composition("labour-dispatch").evaluate("beijing", "payroll/1", facts, time("2027-06-10T00:00"))
    assert [local(each.due_at) for each in found] == [
        "2026-11-11 00:00",
        "2026-12-11 00:00",
        "2027-01-16 00:00",
        "2027-02-16 00:00",
    ]


@pytest.mark.req("S-13", "S-17")
def test_the_last_word_on_a_months_day_stands_and_a_payroll_can_begin_again() -> None:
    facts = [
        scheduled("2026-10-20T09:00", 10, "2026-11-01"),
        scheduled("2026-10-21T09:00", 12, "2026-11-01"),
        fact("payroll.ended.v1", "2026-12-01T09:00", last_month="2026-12-31"),
        scheduled("2027-02-01T09:00", 20, "2027-03-01"),
    ]
    for told in (facts, facts[::-1]):
        found = composition("labour-dispatch").evaluate("beijing", "payroll/1", told, time("2027-03-10T00:00"))
        assert [(each.cycle, local(each.due_at)) for each in found] == [
            (1, "2026-11-13 00:00"),
            (2, "2026-12-13 00:00"),
            (5, "2027-03-21 00:00"),
            (6, "2027-04-21 00:00"),
        ]


def test_a_month_scheduled_or_paid_far_ahead_arms_nothing_before_its_time() -> None:
    far = [
        scheduled("2026-10-20T09:00", 10, "2026-11-01"),
        scheduled("2026-10-20T09:00", 11, "2990-01-01"),
        paid("2980-01-01", "2026-11-05T10:00"),
    ]
    assert len(composition("labour-dispatch").evaluate("beijing", "payroll/1", far, time("2026-11-10T00:00"))) == 2
    [only] = composition("labour-dispatch").evaluate("beijing", "payroll/1", far[1:2], time("2026-11-10T00:00"))
    assert local(only.started_at) == "2990-01-01 00:00"


@pytest.mark.req("S-14")
def test_the_other_reaction_times_of_the_labour_dispatcher_run_and_a_branch_sets_them() -> None:
    asked = happened("recruitment.requested.v1", "requested_at", "2026-11-20T09:00")
    assert local(clock([asked], "candidates", "labour-dispatch").due_at) == "2026-12-04 18:00"
    own = of_text(
        """\
pack: own
version: 1
effective_from: 2026-01-01
title: t
policies:
  recruitment:
    start: recruitment.requested.v1
    stop: recruitment.candidates_presented.v1
    targets:
      candidates: {limit: 3, unit: working_days, clause: own 1}
"""
    )
    [candidates] = own.evaluate("beijing", "recruitment/1", [asked])
    assert local(candidates.due_at) == "2026-11-25 18:00"


# --- who answers (001 §13, 003 §10) ---------------------------------------------------------------------------------


@pytest.mark.req("I-05", "I-09")
def test_a_clock_that_has_ended_keeps_who_answered_at_its_end_and_an_open_one_follows() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        replied("2026-11-20T10:00"),
        happened("case.handover_offered.v1", "offered_at", "2026-11-20T11:00", owner="wang", department="payroll"),
        happened("case.handover_accepted.v1", "accepted_at", "2026-11-20T12:00", owner="li", department="payroll"),
        happened("case.corrective_action_assigned.v1", "assigned_at", "2026-11-20T13:00", owner="zhao"),
    ]
    response, plan = clock(facts, "first_response", "labour-dispatch"), clock(facts, "written_plan", "labour-dispatch")
    assert (response.responsible.owner, response.responsible.department) == ("wang", "customer-service")
    assert (plan.responsible.owner, plan.responsible.department) == ("li", "payroll")
    offered = clock(facts[:3], "written_plan", "labour-dispatch")
    assert (offered.responsible.owner, offered.responsible.department) == ("wang", "customer-service")


# --- whatever the order ---------------------------------------------------------------------------------------------


@pytest.mark.req("S-17")
def test_the_whole_life_in_any_order_and_repeated_gives_one_state() -> None:
    facts = [
        registered("2026-11-20T09:00", "inquiry", promised_at=time("2026-11-24T17:00").isoformat()),
        reclassified("2026-11-20T11:00", "complaint"),
        promised("2026-11-20T12:00", "2026-11-23T17:00"),
        paused("2026-11-20T13:00", "2026-11-20T15:00"),
        resumed("2026-11-20T14:30"),
        reclassified("2026-11-20T16:00", "inquiry"),
        reclassified("2026-11-20T17:00", "complaint"),
        replied("2026-11-21T10:00"),
        resolved("2026-11-21T11:00"),
        reopened("2026-11-25T09:00"),
        promised("2026-11-25T10:00", "2026-11-26T10:00"),
        resolved("2026-11-26T11:00"),
    ]
    packs = composition("labour-dispatch", "hr-licence", "insurer-head-office")
    once = packs.evaluate("beijing", "case/1", facts)
    shuffler = random.Random(4)  # noqa: S311 - not for secrets
    for _ in range(50):
        told = [*facts, *shuffler.choices(facts, k=4)]
        shuffler.shuffle(told)
        assert packs.evaluate("beijing", "case/1", told) == once


HOURS = st.integers(-3, 400)


def at_hour(hours: int) -> str:
    return (datetime(2026, 11, 20, 9) + timedelta(hours=hours)).isoformat(timespec="minutes")  # noqa: DTZ001 - local


def happening(drawn: tuple[str, int, int, bool]) -> Fact:
    kind, hours, ahead, choice = drawn
    at = at_hour(hours)
    match kind:
        case "reclassified":
            return reclassified(at, "inquiry" if choice else "complaint")
        case "promised":
            return promised(at, at_hour(hours + ahead), consented=choice)
        case "paused":
            return paused(at, at_hour(hours + ahead) if choice else None)
        case "extended":
            return instructed("extend", at, units=ahead % 3 + 1)
        case "merged":
            return happened("case.merged.v1", "merged_at", at)
        case _:
            return {"resumed": resumed, "replied": replied, "resolved": resolved, "reopened": reopened}[kind](at)


KINDS = ("reclassified", "promised", "paused", "extended", "merged", "resumed", "replied", "resolved", "reopened")
LIVES = st.lists(
    st.tuples(st.sampled_from(KINDS), HOURS, st.integers(1, 100), st.booleans()).map(happening), max_size=14
)


@pytest.mark.req("S-17")
@settings(max_examples=150, deadline=None)
@given(LIVES, st.randoms(use_true_random=False))
def test_any_life_in_any_order_gives_one_state_and_explains_itself(life: list[Fact], shuffler: random.Random) -> None:
    facts = [registered("2026-11-20T09:00", promised_at=time("2026-11-23T17:00").isoformat()), *life]
    packs = composition("labour-dispatch", "hr-licence", "insurer-head-office")
    once = packs.evaluate("beijing", "case/1", facts)
    told = [*facts, *shuffler.choices(facts, k=4)]
    shuffler.shuffle(told)
    assert packs.evaluate("beijing", "case/1", told) == once
    assert len({each.clock_id for each in once}) == len(once)
    for each in once:
        segments = explain(each, packs.timetable)
        counted = sum(segment.counted for segment in segments)
        assert counted + remaining(each, segments) == each.allowance.amount
        assert not each.deadline_stands or counted == each.allowance.amount
        ends = [each.started_at, *(at for pause in each.pauses for at in (pause.starts, pause.ends) if at is not None)]
        assert ends == sorted(ends), "pauses follow one another"
        known = [step.at for step in each.steps if step.at is not None]
        assert known == sorted(known)
