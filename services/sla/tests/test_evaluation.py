"""From facts to clocks, without a database: deadlines, order, pauses, cycles, explanations, firings."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouwen.contracts import clock as told
from shouwen.sla import gateways
from shouwen.sla.domain.arming import Armed, Kept, decide
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.explanation import explain, remaining
from shouwen.sla.domain.fact import INSTRUCTED, Fact
from shouwen.sla.domain.instant import HOUR, SECOND, micros, moment
from shouwen.sla.domain.policies import Branch, Policies

POLICIES = Policies(gateways.shipped_packs())
SHANGHAI = ZoneInfo("Asia/Shanghai")


def time(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


def composition(*packs: str) -> Composition:
    return POLICIES.of(Branch("beijing", "Asia/Shanghai", packs))


_ids = iter(range(1_000_000))


def fact(event_type: str, at: str, /, **data: Any) -> Fact:
    return Fact(str(next(_ids)), event_type, time(at), {"branch": "beijing", **data})


def registered(at: str, case_type: str = "complaint", **data: Any) -> Fact:
    return fact(
        "case.registered.v1", at, case_type=case_type, received_at=time(at).isoformat(), channel="phone", **data
    )


def happened(event_type: str, field: str, at: str, **data: Any) -> Fact:
    return fact(event_type, at, **{field: time(at).isoformat()}, **data)


def instructed(do: str, at: str, reason: str = "awaiting_requester") -> Fact:
    return fact(INSTRUCTED, at, do=do, at=time(at).isoformat(), reason=reason)


def clock(target: str, facts: list[Fact], *packs: str) -> Clock:
    found = {each.target.name: each for each in composition(*packs).evaluate("beijing", "case/1", facts)}
    return found[target]


def local(instant: int | None) -> str:
    assert instant is not None
    return moment(instant).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


# --- the clauses, against instants worked out by hand --------------------------------------------------------------


@pytest.mark.req("S-03", "S-04", "S-05", "S-06", "S-07", "S-09", "S-10")
@pytest.mark.parametrize(
    ("pack", "target", "facts", "due"),
    [
        # 24 h of the clock, also at night and over the Spring Festival (15 to 23 February 2026 off)
        ("talent-centre", "resolution", [registered("2026-11-20T09:00")], "2026-11-21 09:00:00"),
        ("talent-centre", "resolution", [registered("2026-02-14T17:30")], "2026-02-15 17:30:00"),
        ("talent-centre", "resolution", [registered("2026-12-31T12:00")], "2027-01-01 12:00:00"),
        ("labour-dispatch", "first_response", [registered("2026-11-20T09:00")], "2026-11-21 09:00:00"),
        ("labour-dispatch", "first_response", [registered("2026-09-30T18:00")], "2026-10-01 18:00:00"),
        ("labour-dispatch", "first_response", [registered("2026-12-31T23:59")], "2027-01-01 23:59:00"),
        # 2 working days: not the day of the start; Friday gives Tuesday's close
        ("labour-dispatch", "written_plan", [registered("2026-11-20T09:00")], "2026-11-24 18:00:00"),
        # Friday 13 February: Saturday 14 is a make-up day (1), Tuesday 24 the next working day (2)
        ("labour-dispatch", "written_plan", [registered("2026-02-13T10:00")], "2026-02-24 18:00:00"),
        # Wednesday 30 December: Thursday 31 (1), 1 January off, then Monday 4 January (2)
        ("labour-dispatch", "written_plan", [registered("2026-12-30T10:00")], "2027-01-04 18:00:00"),
        ("hr-licence", "reply", [registered("2026-11-20T16:20", "inquiry")], "2026-11-21 16:20:00"),
        ("hr-licence", "reply", [registered("2026-02-14T16:20", "inquiry")], "2026-02-15 16:20:00"),
        ("hr-licence", "reply", [registered("2026-12-31T16:20", "inquiry")], "2027-01-01 16:20:00"),
        ("insurer-head-office", "phone_answer", [registered("2026-11-20T16:20", "inquiry")], "2026-11-23 18:00:00"),
        ("insurer-head-office", "phone_answer", [registered("2026-02-13T16:20", "inquiry")], "2026-02-14 18:00:00"),
        ("insurer-head-office", "phone_answer", [registered("2026-12-31T16:20", "inquiry")], "2027-01-04 18:00:00"),
        ("insurer-head-office", "reply", [registered("2026-11-20T09:00")], "2026-11-27 18:00:00"),
        # 13 February: 14 (1), then 24, 25, 26, 27 (5); 28 is a make-up day, not needed
        ("insurer-head-office", "reply", [registered("2026-02-13T09:00")], "2026-02-27 18:00:00"),
        # 29 December: 30 (1), 31 (2), then 4, 5, 6 January
        ("insurer-head-office", "reply", [registered("2026-12-29T09:00")], "2027-01-06 18:00:00"),
        (
            "insurer-head-office",
            "first_review",
            [happened("claim.submitted.v1", "submitted_at", "2026-12-30T08:00")],
            "2027-01-01 08:00:00",
        ),
        # 30 working minutes: over lunch, over a weekend, over the Spring Festival
        (
            "talent-centre",
            "acceptance",
            [happened("acceptance.started.v1", "started_at", "2026-11-20T11:45")],
            "2026-11-20 13:15:00",
        ),
        (
            "talent-centre",
            "acceptance",
            [happened("acceptance.started.v1", "started_at", "2026-11-20T17:45")],
            "2026-11-23 09:15:00",
        ),
        (
            "talent-centre",
            "acceptance",
            [happened("acceptance.started.v1", "started_at", "2026-02-14T17:45")],
            "2026-02-24 09:15:00",
        ),
        (
            "labour-dispatch",
            "written_plan",
            [happened("dispute.reported.v1", "reported_at", "2026-09-30T17:00")],
            "2026-10-01 17:00:00",
        ),
        # 30 days from 2 November: 2 December at 24:00
        (
            "labour-dispatch",
            "social_insurance_registration",
            [fact("employment.started.v1", "2026-11-05T09:00", started_on="2026-11-02")],
            "2026-12-03 00:00:00",
        ),
        (
            "labour-dispatch",
            "social_insurance_registration",
            [fact("employment.started.v1", "2026-01-20T09:00", started_on="2026-01-20")],
            "2026-02-20 00:00:00",
        ),
    ],
)
def test_deadlines_are_those_worked_out_by_hand(pack: str, target: str, facts: list[Fact], due: str) -> None:
    assert local(clock(target, facts, pack).due_at) == due


@pytest.mark.req("S-11")
def test_an_injury_starts_five_clocks_counted_from_the_accident_and_from_the_report() -> None:
    reported = fact(
        "injury.reported.v1",
        "2026-11-20T10:00",
        occurred_at=time("2026-11-19T20:00").isoformat(),
        reported_at=time("2026-11-20T10:00").isoformat(),
    )
    clocks = composition("labour-dispatch").evaluate("beijing", "injury/1", [reported])
    assert {each.target.name: local(each.due_at) for each in clocks} == {
        "client_notice": "2026-11-20 08:00:00",
        "on_site": "2026-11-20 22:00:00",
        "written_plan": "2026-11-21 10:00:00",
        "authority_notice": "2026-11-20 20:00:00",
        "determination_filing": "2026-12-20 00:00:00",
    }
    notice = clocks[0]
    assert (notice.state, notice.is_breached(time("2026-11-20T10:00"))) == ("completed", True)
    assert all(each.state == "running" for each in clocks[1:])


@pytest.mark.req("S-11")
def test_help_that_was_on_site_before_the_report_meets_the_target() -> None:
    report = fact(
        "injury.reported.v1",
        "2026-11-20T10:00",
        occurred_at=time("2026-11-20T08:00").isoformat(),
        reported_at=time("2026-11-20T10:00").isoformat(),
    )
    arrived = happened("injury.on_site.v1", "arrived_at", "2026-11-20T09:00")
    assert clock("on_site", [report, arrived], "labour-dispatch").state == "completed"


@pytest.mark.req("S-05")
def test_an_inquiry_that_the_desk_passes_on_gives_the_department_its_own_24_hours() -> None:
    asked = registered("2026-11-20T09:00", "inquiry", owner="wang", department="customer-service")
    passed_on = happened("case.assigned.v1", "assigned_at", "2026-11-20T15:00", owner="li", department="payroll")
    assert clock("reply", [asked, passed_on], "hr-licence").state == "completed"
    department = clock("department_reply", [asked, passed_on], "hr-licence")
    assert (department.state, local(department.due_at)) == ("running", "2026-11-21 15:00:00")
    assert (department.responsible.owner, department.responsible.department) == ("li", "payroll")
    answered = happened("case.replied.v1", "replied_at", "2026-11-21T09:00")
    assert clock("department_reply", [asked, passed_on, answered], "hr-licence").state == "completed"


def test_a_hand_over_inside_the_desk_changes_nothing() -> None:
    asked = registered("2026-11-20T09:00", "inquiry")
    passed_on = happened(
        "case.assigned.v1", "assigned_at", "2026-11-20T15:00", owner="li", department="customer-service"
    )
    clocks = composition("hr-licence").evaluate("beijing", "case/1", [asked, passed_on])
    assert [(each.target.name, each.state) for each in clocks] == [("reply", "running")]


handed_to = st.sampled_from([None, "", "customer-service", "payroll", True, 1, 0, ["payroll"], {"payroll": 1}])


@given(st.lists(handed_to, min_size=1, max_size=8))
def test_a_condition_looks_at_what_each_fact_holds_whatever_others_held_before(departments: list[Any]) -> None:
    for department in departments:
        asked = registered("2026-11-20T09:00", "inquiry", department="customer-service")
        assigned = happened("case.assigned.v1", "assigned_at", "2026-11-20T10:00", department=department)
        is_passed_on = department is not None and department != "customer-service"
        assert (clock("reply", [asked, assigned], "hr-licence").state == "completed") == is_passed_on


def test_a_promise_is_a_clock_of_its_own_beside_the_policy() -> None:
    promised = registered("2026-11-20T09:00", promised_at=time("2026-11-20T17:00").isoformat())
    clocks = composition("labour-dispatch", "hr-licence").evaluate("beijing", "case/1", [promised])
    assert {each.target.name: local(each.due_at) for each in clocks} == {
        "resolution": "2026-12-04 18:00:00",
        "promise": "2026-11-20 17:00:00",
        "first_response": "2026-11-21 09:00:00",
        "written_plan": "2026-11-24 18:00:00",
    }


def test_a_branch_pack_takes_the_place_of_the_baselines_target() -> None:
    names = {
        (each.target.pack, each.target.name)
        for each in composition("talent-centre").evaluate("chengdu", "case/1", [registered("2026-11-20T09:00")])
    }
    assert names == {("talent-centre", "resolution")}


# --- order, repetition, pauses -------------------------------------------------------------------------------------

START = micros(time("2026-11-18T09:00"))
events = st.tuples(
    st.sampled_from(["pause", "resume", "stop", "cancel", "start"]), st.integers(-24 * 3600, 20 * 24 * 3600)
)


def a_fact(kind: str, seconds: int) -> Fact:
    at = moment(START + seconds * SECOND).isoformat()
    if kind == "start":
        return fact("case.registered.v1", "2026-11-18T09:00", case_type="complaint", received_at=at, channel="letter")
    return fact(INSTRUCTED, "2026-11-18T09:00", do=kind, at=at, reason="awaiting_requester", by="wang")


fact_lists = st.lists(events, max_size=12).map(
    lambda drawn: [registered("2026-11-18T09:00"), *(a_fact(kind, seconds) for kind, seconds in drawn)]
)


@pytest.mark.req("S-17")
@settings(max_examples=100, deadline=None)
@given(fact_lists, st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_of_facts_gives_one_state(facts: list[Fact], random: Any) -> None:
    packs = composition("labour-dispatch", "insurer-head-office")
    once = packs.evaluate("beijing", "case/1", facts)
    shuffled = facts + random.choices(facts, k=5)
    random.shuffle(shuffled)
    assert packs.evaluate("beijing", "case/1", shuffled) == once


@settings(max_examples=100, deadline=None)
@given(fact_lists)
def test_the_segments_of_every_clock_add_up_to_its_limit(facts: list[Fact]) -> None:
    packs = composition("labour-dispatch", "insurer-head-office")
    for each in packs.evaluate("beijing", "case/1", facts):
        segments = explain(each, packs.timetable)
        counted = sum(segment.counted for segment in segments)
        if each.deadline_stands:
            assert counted == each.allowance.amount
            assert segments[-1].ends == each.due_at
        else:
            assert counted + remaining(each, segments) == each.allowance.amount
            assert segments[-1].kind == "pause"
            assert remaining(each, segments) > 0
        assert segments[0].starts == each.started_at
        assert all(before.ends == after.starts for before, after in pairwise(segments))


@pytest.mark.req("S-16")
@settings(max_examples=100, deadline=None)
@given(fact_lists)
def test_firings_come_in_order_and_never_while_paused(facts: list[Fact]) -> None:
    packs = composition("labour-dispatch", "insurer-head-office")
    for each in packs.evaluate("beijing", "case/1", facts):
        known = [step.at for step in each.steps if step.at is not None]
        assert known == sorted(known)
        assert [step.at for step in each.steps][: len(known)] == known, "what cannot be reached comes last"
        for pause in each.pauses:
            assert not any(pause.starts < at < (pause.ends or at + 1) for at in known)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10 * 24 * 3600), st.integers(0, 10 * 24 * 3600))
def test_a_pause_never_shortens_the_counted_time_that_is_left(begins: int, lasts: int) -> None:
    packs = composition("labour-dispatch", "insurer-head-office")
    facts = [registered("2026-11-18T09:00"), a_fact("pause", begins), a_fact("resume", begins + lasts)]
    without = {each.clock_id: each for each in packs.evaluate("beijing", "case/1", facts[:1])}
    paused_at, resumed_at = START + begins * SECOND, START + (begins + lasts) * SECOND
    for each in packs.evaluate("beijing", "case/1", facts):
        before = without[each.clock_id]
        if before.due_at <= paused_at:
            assert each.due_at == before.due_at
            continue
        left = before.allowance.amount - before.allowance.counted(paused_at, ())
        assert each.allowance.measure.counted(max(resumed_at, each.allowance.counts_from), each.due_at) == left
        assert each.due_at >= before.due_at


@pytest.mark.parametrize(
    ("pause", "resume", "due"),
    [
        ("2026-11-23T10:00", "2026-11-23T12:00", "2026-11-25 11:00:00"),  # two working hours
        ("2026-11-23T18:00", "2026-11-24T09:00", "2026-11-24 18:00:00"),  # a night costs nothing
        ("2026-11-20T10:00", "2026-11-20T16:00", "2026-11-24 18:00:00"),  # the day of the start does not count
    ],
)
def test_a_pause_shifts_a_working_deadline_by_the_working_time_in_it(pause: str, resume: str, due: str) -> None:
    facts = [registered("2026-11-20T09:00"), instructed("pause", pause), instructed("resume", resume)]
    assert local(clock("written_plan", facts, "labour-dispatch").due_at) == due


def test_a_statutory_clock_does_not_pause() -> None:
    report = happened("dispute.reported.v1", "reported_at", "2026-11-20T09:00")
    paused = clock("written_plan", [report, instructed("pause", "2026-11-20T10:00")], "labour-dispatch")
    assert (paused.state, local(paused.due_at)) == ("running", "2026-11-21 09:00:00")


def test_a_clock_pauses_only_for_a_reason_of_its_pack() -> None:
    facts = [registered("2026-11-20T09:00"), instructed("pause", "2026-11-20T10:00", reason="too_busy")]
    assert clock("first_response", facts, "labour-dispatch").state == "running"


def test_a_paused_clock_cannot_breach_and_keeps_what_is_left() -> None:
    facts = [registered("2026-11-20T09:00"), instructed("pause", "2026-11-20T10:00")]
    paused = clock("first_response", facts, "labour-dispatch")
    assert not paused.is_breached(time("2027-06-01T00:00"))
    assert [step.at for step in paused.steps] == [None] * len(paused.steps)
    assert remaining(paused, explain(paused, composition("labour-dispatch").timetable)) == 23 * HOUR


def test_what_happened_before_the_case_was_heard_of_counts() -> None:
    paused_first = [instructed("pause", "2026-11-20T08:00"), registered("2026-11-20T09:00")]
    assert clock("first_response", paused_first, "labour-dispatch").state == "paused"
    withdrawn = happened("case.withdrawn.v1", "withdrawn_at", "2026-11-20T08:59")
    assert clock("first_response", [withdrawn, registered("2026-11-20T09:00")], "labour-dispatch").state == "cancelled"


def test_resolved_while_paused_credits_the_pause_first() -> None:
    facts = [
        registered("2026-11-20T09:00"),
        instructed("pause", "2026-11-20T10:00"),
        happened("case.resolved.v1", "resolved_at", "2026-12-20T10:00"),
    ]
    done = clock("first_response", facts, "labour-dispatch")
    assert (done.state, done.is_breached(time("2027-01-01T00:00"))) == ("completed", False)


def test_a_finish_at_the_very_deadline_is_in_time_and_a_second_later_is_not() -> None:
    in_time = [registered("2026-11-20T09:00"), happened("case.replied.v1", "replied_at", "2026-11-21T09:00:00")]
    late = [registered("2026-11-20T09:00"), happened("case.replied.v1", "replied_at", "2026-11-21T09:00:01")]
    assert not clock("first_response", in_time, "labour-dispatch").is_breached(time("2027-01-01T00:00"))
    assert clock("first_response", late, "labour-dispatch").is_breached(time("2027-01-01T00:00"))


def test_a_second_hand_over_after_the_answer_begins_a_new_cycle() -> None:
    facts = [
        registered("2026-11-20T09:00", "inquiry"),
        happened("case.assigned.v1", "assigned_at", "2026-11-20T10:00", owner="li", department="payroll"),
        happened("case.replied.v1", "replied_at", "2026-11-20T11:00"),
        happened("case.assigned.v1", "assigned_at", "2026-11-21T10:00", owner="zhao", department="legal"),
    ]
    clocks = [
        each
        for each in composition("hr-licence").evaluate("beijing", "case/1", facts)
        if each.target.name == "department_reply"
    ]
    assert [(each.cycle, each.state) for each in clocks] == [(1, "completed"), (2, "running")]
    assert clocks[0].clock_id != clocks[1].clock_id


# --- what is told --------------------------------------------------------------------------------------------------


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


def told_for(target: str, facts: list[Fact], before: Armed | None, now: str) -> tuple[Armed | None, list[str]]:
    decision = decide(clock(target, facts, "labour-dispatch"), kept(before) if before else None, time(now))
    return decision.armed, [each.event.event_type for each in decision.tellings]


@pytest.mark.req("S-16")
def test_a_matter_registered_late_fires_its_breach_and_no_warning() -> None:
    armed, tellings = told_for("first_response", [registered("2026-11-18T09:00")], None, "2026-11-20T09:00")
    assert armed is not None
    assert tellings == [told.ClockStarted.event_type]
    assert armed.clock.steps[armed.step].kind == "breached"
    assert armed.next_fire_at == armed.clock.due_at


def test_a_matter_registered_after_some_warnings_fires_the_last_of_them() -> None:
    armed, _ = told_for("first_response", [registered("2026-11-20T09:00")], None, "2026-11-21T05:00")
    assert armed is not None
    assert (armed.step, armed.clock.steps[1].kind) == (1, "at_risk")


def test_a_matter_that_ended_late_before_anybody_told_us_is_breached_once_and_met() -> None:
    facts = [registered("2026-11-18T09:00"), happened("case.replied.v1", "replied_at", "2026-11-20T09:00")]
    armed, tellings = told_for("first_response", facts, None, "2026-11-20T09:00")
    assert tellings == [told.ClockStarted.event_type, told.ClockBreached.event_type, told.ClockMet.event_type]
    assert armed is not None
    assert (armed.breached, armed.next_fire_at) == (True, None)


def test_the_same_facts_again_tell_nothing() -> None:
    facts = [registered("2026-11-20T09:00")]
    armed, _ = told_for("first_response", facts, None, "2026-11-20T09:01")
    assert told_for("first_response", facts, armed, "2026-11-20T10:00") == (None, [])


def test_a_pause_and_its_end_are_told() -> None:
    facts = [registered("2026-11-20T09:00")]
    armed, _ = told_for("first_response", facts, None, "2026-11-20T09:01")
    facts.append(instructed("pause", "2026-11-20T10:00"))
    armed, tellings = told_for("first_response", facts, armed, "2026-11-20T10:00")
    assert tellings == [told.ClockPaused.event_type]
    assert armed is not None and armed.next_fire_at is None
    facts.append(instructed("resume", "2026-11-20T12:00"))
    armed, tellings = told_for("first_response", facts, armed, "2026-11-20T12:00")
    assert tellings == [told.ClockResumed.event_type]
    assert armed is not None and local(armed.clock.due_at) == "2026-11-21 11:00:00"


def test_an_earlier_start_that_comes_late_moves_the_deadline_and_says_so() -> None:
    facts = [registered("2026-11-20T09:00")]
    armed, _ = told_for("first_response", facts, None, "2026-11-20T09:01")
    facts.append(registered("2026-11-20T07:00"))
    armed, tellings = told_for("first_response", facts, armed, "2026-11-20T10:00")
    assert tellings == [told.ClockRecalculated.event_type]
    assert armed is not None and local(armed.clock.due_at) == "2026-11-21 07:00:00"


def test_a_pause_known_only_after_the_breach_sets_the_steps_again_under_a_new_generation() -> None:
    facts = [registered("2026-11-20T09:00")]
    armed, _ = told_for("first_response", facts, None, "2026-11-20T09:01")
    assert armed is not None
    fired = replace(armed, step=4, breached=True, fired_at=(*(step.at for step in armed.clock.steps[:4]), None))
    facts += [instructed("pause", "2026-11-20T10:00"), instructed("resume", "2026-11-21T10:00")]
    armed, _ = told_for("first_response", facts, fired, "2026-11-21T10:00")
    assert armed is not None
    assert (armed.step, armed.generation, armed.breached) == (0, 1, False)


def test_a_withdrawn_matter_is_cancelled() -> None:
    facts = [registered("2026-11-20T09:00")]
    armed, _ = told_for("first_response", facts, None, "2026-11-20T09:01")
    facts.append(happened("case.withdrawn.v1", "withdrawn_at", "2026-11-20T12:00"))
    armed, tellings = told_for("first_response", facts, armed, "2026-11-20T12:00")
    assert tellings == [told.ClockCancelled.event_type]
    assert armed is not None and armed.next_fire_at is None


def test_one_evaluation_of_a_complaint_stays_far_below_a_millisecond_of_work() -> None:
    packs, facts = composition("labour-dispatch", "hr-licence"), [registered("2026-11-20T09:00")]
    packs.evaluate("beijing", "case/1", facts)
    began = datetime.now(UTC)
    for _ in range(200):
        packs.evaluate("beijing", "case/1", facts)
    assert (datetime.now(UTC) - began) / 200 < timedelta(milliseconds=5)
