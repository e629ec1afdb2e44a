"""What has to hold for every schedule, every target and every history, not only for those somebody thought of.

The oracles walk through time step by step and know nothing of how the calendar is compiled.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shouwen.sla import gateways
from shouwen.sla.domain.allowance import UNITS, Pause, Unit, allow
from shouwen.sla.domain.arming import Armed, Kept, decide
from shouwen.sla.domain.calendar import WEEKDAYS, Interval, Schedule, Timetable, Weekday, office_hours
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.course import Courses
from shouwen.sla.domain.evaluation import BASELINE, Composition
from shouwen.sla.domain.explanation import explain, remaining
from shouwen.sla.domain.fact import INSTRUCTED, Fact
from shouwen.sla.domain.instant import HOUR, MINUTE, SECOND, micros, moment
from shouwen.sla.domain.pack import EscalationStep, Target, WarningStep
from shouwen.sla.domain.strictness import is_stricter_or_equal

SHIPPED = gateways.shipped_packs()
ORDINARY = next(pack for pack in SHIPPED if pack.name == BASELINE).targets[0]
"""A target whose limit and terms are exchanged for drawn ones."""

few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Enough to meet the corners that are drawn on purpose; small enough for each push."""

ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",  # an hour twice and an hour skipped, at night
    "Africa/Cairo",  # the change is at midnight: a day begins at 01:00
    "America/Santiago",  # so is this one, in the other half of the year
    "Australia/Lord_Howe",  # half an hour
    "UTC",
)
FIRST, LAST = date(2026, 1, 1), date(2027, 2, 28)
SPREAD = (datetime(2027, 1, 31, tzinfo=UTC) - datetime(2026, 1, 2, tzinfo=UTC)) // timedelta(seconds=1)


@st.composite
def day_hours(draw: st.DrawFn) -> tuple[Interval, ...]:
    """Up to three spans of a day, to the minute; one may end at 24:00, another begin at 00:00."""
    marks = sorted(draw(st.lists(st.one_of(st.integers(0, 1440), st.sampled_from([0, 720, 1440])), max_size=6)))
    marks = sorted(set(marks))
    marks = marks[: len(marks) // 2 * 2]
    return tuple(Interval(marks[i], marks[i + 1]) for i in range(0, len(marks), 2))


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    """Any schedule: half days, nights, exceptions on single dates, the Chinese holidays or none."""
    week: dict[Weekday, tuple[Interval, ...]] = {day: draw(day_hours()) for day in WEEKDAYS}
    if not any(week.values()):
        week["wed"] = (Interval(600, 720),)
    exceptions = draw(st.dictionaries(st.dates(FIRST, LAST), day_hours(), max_size=4))
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    return Timetable(Schedule(zone, week, draw(st.sampled_from(["cn", "none"])), exceptions))


CHANGES = tuple(
    micros(datetime.fromisoformat(text))
    for text in (
        "2026-03-29T00:30:00+00:00",  # Berlin, spring
        "2026-10-25T00:30:00+00:00",  # Berlin, autumn
        "2026-04-23T21:30:00+00:00",  # Cairo, spring: midnight is skipped
        "2026-10-29T20:30:00+00:00",  # Cairo, autumn: the last hour of the day comes twice
        "2026-04-05T02:30:00+00:00",  # Santiago
        "2026-09-06T03:30:00+00:00",
        "2026-04-04T14:30:00+00:00",  # Lord Howe
        "2026-12-31T15:30:00+00:00",  # New Year in Shanghai
    )
)
instants = st.one_of(
    st.integers(0, SPREAD).map(lambda second: micros(datetime(2026, 1, 2, tzinfo=UTC)) + second * SECOND),
    st.tuples(st.sampled_from(CHANGES), st.integers(-7200, 7200)).map(lambda near: near[0] + near[1] * SECOND),
)
"""Whole seconds, often near a change of the wall clock."""


def is_worked(timetable: Timetable, at: int) -> bool:
    """The oracle of one second: what the wall shows, held against the plan of that day."""
    wall = moment(at).astimezone(timetable.zone)
    minutes = wall.hour * 60 + wall.minute
    return any(
        span.opens <= minutes < span.closes for span in timetable.schedule.day(wall.date(), timetable.public).intervals
    )


# --- the calendar --------------------------------------------------------------------------------------------------


@pytest.mark.req("S-15")
@few
@given(timetables(), instants, st.integers(0, 3600))
def test_the_compiled_calendar_counts_what_a_walk_over_every_second_counts(
    timetable: Timetable, starts: int, seconds: int
) -> None:
    walked = sum(SECOND for step in range(seconds) if is_worked(timetable, starts + step * SECOND))
    assert timetable.counted(starts, starts + seconds * SECOND) == walked


@pytest.mark.req("S-15")
@few
@given(timetables(), instants, st.integers(0, 3 * 24 * 60))
def test_over_days_it_counts_what_a_walk_over_every_minute_counts(
    timetable: Timetable, starts: int, minutes: int
) -> None:
    # Exact: every span of a schedule, and every change of these zones, falls on a whole minute.
    starts -= starts % MINUTE
    walked = sum(MINUTE for step in range(minutes) if is_worked(timetable, starts + step * MINUTE))
    assert timetable.counted(starts, starts + minutes * MINUTE) == walked


@pytest.mark.req("S-15")
@few
@given(timetables(), instants, st.integers(1, 30 * 60))
def test_an_amount_is_reached_where_a_walk_over_every_second_reaches_it(
    timetable: Timetable, starts: int, seconds: int
) -> None:
    at, left = starts, seconds
    while left and at < starts + HOUR:
        left -= is_worked(timetable, at)
        at += SECOND
    if left:
        assert timetable.reached(starts, seconds * SECOND) > at
    else:
        assert timetable.reached(starts, seconds * SECOND) == at


@pytest.mark.req("S-15")
@few
@given(timetables(), st.dates(FIRST, date(2026, 12, 20)), st.integers(1, 12))
def test_working_days_end_where_a_walk_over_the_days_ends(timetable: Timetable, after: date, days: int) -> None:
    noon = micros(datetime.combine(after, datetime.min.time().replace(hour=12), timetable.zone))
    day, left = after, days
    while left:
        day += timedelta(days=1)
        left -= timetable.counted(*_bounds(day, timetable.zone)) > 0
    opens, closes = _bounds(day, timetable.zone)
    allowance = allow(days, "working_days", noon, timetable)
    due = allowance.used_up(allowance.amount, ())
    assert due is not None
    assert opens < due <= closes
    assert timetable.counted(due, closes) == 0, "nothing of the last day is left"


def _bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """The day in a zone, found by walking: from the first minute that shows this date to the last."""
    at = micros(datetime.combine(day, datetime.min.time(), UTC)) - 26 * HOUR

    def shown(instant: int) -> date:
        return moment(instant).astimezone(zone).date()

    while shown(at + HOUR) < day:
        at += HOUR
    while shown(at) < day:
        at += MINUTE
    starts = at
    while shown(at + HOUR) <= day:
        at += HOUR
    while shown(at) <= day:
        at += MINUTE
    return starts, at


@few
@given(timetables(), instants, instants, instants)
def test_working_time_adds_up_and_never_runs_backwards(timetable: Timetable, one: int, two: int, three: int) -> None:
    first, middle, last = sorted((one, two, three))
    whole = timetable.counted(first, last)
    assert timetable.counted(first, middle) + timetable.counted(middle, last) == whole
    assert 0 <= whole <= last - first


# --- one target, any schedule, any pauses ---------------------------------------------------------------------------


@st.composite
def pause_lists(draw: st.DrawFn, start: int) -> tuple[Pause, ...]:
    """Pauses in order, apart from each other; the last may still last."""
    lengths = draw(st.lists(st.integers(1, 5 * 24 * 3600), max_size=6))
    pauses: list[Pause] = []
    at = start + draw(st.integers(0, 24 * 3600)) * SECOND
    for begins, ends in zip(lengths[::2], lengths[1::2], strict=False):
        pauses.append(Pause(at + begins * SECOND, at + (begins + ends) * SECOND, "awaiting_requester"))
        at += (begins + ends) * SECOND
    if draw(st.booleans()) and draw(st.booleans()):
        pauses.append(Pause(at + SECOND, None, "awaiting_requester"))
    return tuple(pauses)


@st.composite
def targets(draw: st.DrawFn) -> Target:
    """Any target with a limit of its own."""
    unit: Unit = draw(st.sampled_from(UNITS))
    limit = draw(st.integers(1, {"working_minutes": 600, "calendar_days": 40, "working_days": 12}.get(unit, 60)))
    warnings = draw(
        st.lists(
            st.one_of(
                st.integers(1, 99).map(lambda percent: WarningStep(percent, None)),
                st.integers(1, limit).map(lambda before: WarningStep(None, before)),
            ),
            max_size=3,
        )
    )
    warnings = [each for each in warnings if each.before is None or each.before < limit]
    steps = draw(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(UNITS)), max_size=3))
    return replace(
        ORDINARY,
        unit=unit,
        limit=limit,
        warnings=tuple(warnings),
        escalations=tuple(EscalationStep(level, "manager", *each) for level, each in enumerate(steps, 1)),
    )


@pytest.mark.req("S-16")
@few
@given(st.data(), timetables(), targets(), instants)
def test_firing_instants_are_in_order_and_none_is_in_a_pause(
    drawn: st.DataObject, timetable: Timetable, target: Target, start: int
) -> None:
    pauses = drawn.draw(pause_lists(start))
    course = Courses(target, timetable).of(start, None, pauses)
    known = [step.at for step in course.steps if step.at is not None]
    assert known == sorted(known)
    assert [step.at for step in course.steps][: len(known)] == known, "what cannot be reached comes last"
    assert all(at >= start for at in known)
    for pause in pauses:
        assert not any(pause.starts < at < (pause.ends or at + 1) for at in known)


@pytest.mark.req("S-15")
@few
@given(st.data(), timetables(), targets(), instants)
def test_the_time_outside_of_pauses_adds_up_to_the_limit(
    drawn: st.DataObject, timetable: Timetable, target: Target, start: int
) -> None:
    pauses = drawn.draw(pause_lists(start))
    course = Courses(target, timetable).of(start, None, pauses)
    if not course.deadline_stands:
        return
    counted = course.allowance.counted(course.due_at, pauses)
    assert counted == course.allowance.amount
    assert course.allowance.counted(course.due_at - 1, pauses) < course.allowance.amount, "and not before"


@pytest.mark.req("S-01")
@few
@given(st.data(), timetables(), targets(), instants, st.integers(0, 10 * 24 * 3600), st.integers(1, 5 * 24 * 3600))
def test_pausing_never_shortens_the_working_time_that_is_left(
    drawn: st.DataObject, timetable: Timetable, target: Target, start: int, begins: int, lasts: int
) -> None:
    earlier = [pause for pause in drawn.draw(pause_lists(start)) if pause.ends is not None]
    courses = Courses(target, timetable)
    paused_at = max([start + begins * SECOND, *(pause.ends or 0 for pause in earlier)]) + SECOND
    resumed_at = paused_at + lasts * SECOND
    without = courses.of(start, None, earlier)
    paused = courses.of(start, None, (*earlier, Pause(paused_at, resumed_at, "awaiting_requester")))
    if without.due_at <= paused_at:
        assert paused.due_at == without.due_at
        return
    left = without.allowance.amount - without.allowance.counted(paused_at, earlier)
    measure = without.allowance.measure
    assert measure.counted(max(resumed_at, without.allowance.counts_from), paused.due_at) == left
    assert paused.due_at >= without.due_at


@few
@given(timetables(), targets(), instants, st.integers(0, 24 * 3600))
def test_who_starts_later_is_never_due_earlier(timetable: Timetable, target: Target, start: int, later: int) -> None:
    courses = Courses(target, timetable)
    assert courses.of(start, None, ()).due_at <= courses.of(start + later * SECOND, None, ()).due_at


# --- one target against another -------------------------------------------------------------------------------------

ORDINARY_WEEKS = Timetable(office_hours())
limits = st.sampled_from(
    [
        (24, "calendar_hours"),
        (72, "calendar_hours"),
        (9, "working_hours"),
        (16, "working_hours"),
        (1, "working_days"),
        (2, "working_days"),
        (1, "calendar_days"),
        (3, "calendar_days"),
    ]
)


@st.composite
def like_targets(draw: st.DrawFn) -> Target:
    """Targets near to each other, so that many pairs can be compared."""
    limit, unit = draw(limits)
    warnings = draw(st.sampled_from([(), (WarningStep(50, None),), (WarningStep(50, None), WarningStep(80, None))]))
    escalations = draw(
        st.sampled_from(
            [
                (),
                (EscalationStep(1, "manager", 0, "calendar_hours"),),
                (
                    EscalationStep(1, "manager", 0, "calendar_hours"),
                    EscalationStep(2, "general_manager", 1, "working_days"),
                ),
            ]
        )
    )
    pausable = draw(st.sampled_from([frozenset[str](), frozenset({"awaiting_requester"})]))
    return replace(
        ORDINARY,
        limit=limit,
        unit=unit,
        warnings=warnings,
        escalations=escalations,
        pausable=pausable,
        extension=draw(st.sampled_from([None, ORDINARY.extension])),
    )


pairs = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A comparison looks at every start of a year, so it takes a while."""


@pytest.mark.req("S-18")
@pairs
@given(like_targets())
def test_every_target_is_as_strict_as_itself(target: Target) -> None:
    assert is_stricter_or_equal(target, target, ORDINARY_WEEKS)


@pytest.mark.req("S-18")
@pairs
@given(like_targets(), like_targets(), like_targets())
def test_stricter_than_the_stricter_is_stricter(one: Target, two: Target, three: Target) -> None:
    for first, middle, last in permutations((one, two, three)):
        if is_stricter_or_equal(first, middle, ORDINARY_WEEKS) and is_stricter_or_equal(middle, last, ORDINARY_WEEKS):
            assert is_stricter_or_equal(first, last, ORDINARY_WEEKS)


@pytest.mark.req("S-18")
@pairs
@given(like_targets(), like_targets(), instants)
def test_of_two_that_are_as_strict_as_each_other_neither_is_due_earlier(one: Target, two: Target, start: int) -> None:
    forth = is_stricter_or_equal(one, two, ORDINARY_WEEKS)
    back = is_stricter_or_equal(two, one, ORDINARY_WEEKS)
    due = [Courses(each, ORDINARY_WEEKS).of(start, None, ()).due_at for each in (one, two)]
    assert not forth or due[0] <= due[1]
    assert not back or due[1] <= due[0]


# --- histories: any order, any repetition ---------------------------------------------------------------------------

BEGUN = micros(datetime.fromisoformat("2026-09-29T09:00:00+08:00"))
NOW = datetime.fromisoformat("2026-12-01T09:00:00+08:00")
COMPOSITION = Composition(SHIPPED, Timetable(office_hours()))
"""All five packs at once: more clocks on one matter than any branch has."""


def _history(kind: str, number: int, seconds: int) -> Fact:  # noqa: PLR0911 (one per kind of fact)
    at = moment(BEGUN + seconds * SECOND)
    told: dict[str, Any] = {"branch": "beijing"}

    def fact(event_type: str, field: str, **data: Any) -> Fact:
        return Fact(f"{kind} {number}", event_type, at, {**told, field: at.isoformat(), **data})

    match kind:
        case "registered":
            promised = moment(BEGUN + 3 * 24 * HOUR).isoformat()
            return fact(
                "case.registered.v1",
                "received_at",
                case_type="complaint",
                channel="phone",
                owner="wang",
                department="customer-service",
                promised_at=promised,
            )
        case "assigned":
            return fact("case.assigned.v1", "assigned_at", owner=f"clerk.{number}", department="payroll")
        case "plan":
            return fact("case.plan_delivered.v1", "delivered_at")
        case "replied":
            return fact("case.replied.v1", "replied_at")
        case "resolved":
            return fact("case.resolved.v1", "resolved_at")
        case "withdrawn":
            return fact("case.withdrawn.v1", "withdrawn_at")
        case _:
            return fact(INSTRUCTED, "at", do=kind, reason="awaiting_requester", by="wang")


KINDS = ("registered", "assigned", "plan", "replied", "resolved", "withdrawn", "pause", "resume", "stop", "cancel")
histories = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(-24 * 3600, 30 * 24 * 3600)), min_size=1, max_size=10
).map(lambda drawn: [_history(kind, number, seconds) for number, (kind, seconds) in enumerate(drawn)])
seeds = st.integers(0, 2**32)


@pytest.mark.req("S-17")
@few
@given(histories, seeds)
def test_any_order_and_any_repetition_of_facts_gives_the_same_clocks(facts: list[Fact], seed: int) -> None:
    shuffled = facts + random.Random(seed).choices(facts, k=5)  # noqa: S311
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    assert COMPOSITION.evaluate("beijing", "case/1", shuffled) == COMPOSITION.evaluate("beijing", "case/1", facts)


@pytest.mark.req("S-17")
@few
@given(histories, seeds)
def test_facts_that_arrive_one_by_one_in_any_order_lead_to_the_same_kept_state(facts: list[Fact], seed: int) -> None:
    """As the service does it: each arrival is compared with what was kept of the ones before."""
    arriving = facts + random.Random(seed).choices(facts, k=3)  # noqa: S311
    random.Random(seed).shuffle(arriving)  # noqa: S311
    assert _outcome(_arrived([[each] for each in arriving])) == _outcome(_arrived([facts]))


def _arrived(batches: Sequence[Sequence[Fact]]) -> dict[str, Armed]:
    known: dict[str, Fact] = {}
    armed: dict[str, Armed] = {}
    for batch in batches:
        known |= {fact.id: fact for fact in batch}
        for clock in COMPOSITION.evaluate("beijing", "case/1", known.values()):
            before = armed.get(str(clock.clock_id))
            decision = decide(clock, None if before is None else kept(before), NOW)
            if decision.armed is not None:
                armed[str(clock.clock_id)] = decision.armed
    return armed


def _outcome(armed: dict[str, Armed]) -> set[tuple[Any, ...]]:
    current = {each.clock.clock_id for each in armed.values()}
    assert len(current) == len(armed)
    return {
        (
            each.clock.clock_id,
            each.clock.state,
            each.clock.started_at,
            each.clock.due_at,
            each.clock.ended_at,
            each.clock.pauses,
            each.clock.responsible,
            each.clock.is_breached(NOW),
            # What is still open breaches when the ticker comes to it; what has ended must have been told by now.
            each.breached if each.clock.ended_at is not None else None,
        )
        for each in armed.values()
    }


def kept(armed: Armed) -> Kept:
    """What the table would hold."""
    each = armed.clock
    return Kept(
        clock_id=each.clock_id,
        state=each.state,
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
    )


@few
@given(histories)
def test_the_segments_of_every_clock_add_up_to_its_limit(facts: list[Fact]) -> None:
    for clock in COMPOSITION.evaluate("beijing", "case/1", facts):
        segments = explain(clock, COMPOSITION.timetable)
        if not segments:  # promised for a time that was past when it was asked
            assert (clock.allowance.amount, clock.due_at) == (0, clock.started_at)
            continue
        counted = sum(segment.counted for segment in segments)
        assert counted + remaining(clock, segments) == clock.allowance.amount
        assert not clock.deadline_stands or (counted == clock.allowance.amount and segments[-1].ends == clock.due_at)
        assert segments[0].starts == clock.started_at
        assert all(before.ends == after.starts for before, after in pairwise(segments))
        assert all(segment.counted in {0, _length(segment.starts, segment.ends)} for segment in segments)


def _length(starts: int, ends: int | None) -> int:
    return 0 if ends is None else ends - starts


@few
@given(histories)
@example([_history("registered", 0, 0), _history("pause", 1, 0), _history("resume", 2, 0)])
@example([_history("registered", 0, 0), _history("resolved", 1, 0), _history("registered", 2, 1)])
def test_a_clock_never_both_runs_and_has_ended(facts: list[Fact]) -> None:
    clocks: list[Clock] = COMPOSITION.evaluate("beijing", "case/1", facts)
    for clock in clocks:
        assert (clock.ended_at is not None) == (clock.state in {"completed", "cancelled"})
        assert clock.state != "paused" or clock.pauses[-1].ends is None
        assert clock.ended_at is None or clock.ended_at >= clock.started_at
    names = [(clock.target.pack, clock.target.key, clock.cycle) for clock in clocks]
    assert len(names) == len(set(names))
