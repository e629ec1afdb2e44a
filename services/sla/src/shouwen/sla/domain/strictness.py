"""Whether one target is at least as strict as another: a branch may promise more than it has to, never less (S-18).

``is_stricter_or_equal(candidate, required, schedule)`` is a partial order on what targets demand (title, clause, pack
and version say nothing about that). It is decided over everything that could make a promise weaker: what starts, stops,
pauses and cancels it, limit and unit, pauses, warnings, escalation, extension. ``loosenings`` tells why it does not
hold, with a case: a start, and both deadlines.

Deadlines are compared for every start of a year, not for samples. Between two edges a deadline either stands still or
moves with the start, so it is enough to look at the edges: midnights, the beginning and end of working hours, and the
starts from which a deadline, a warning or an escalation falls on one of these.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date

from shouwen.sla.domain.allowance import Allowance, Pause, Unit, allow
from shouwen.sla.domain.calendar import NoWorkingTime, Schedule, Timetable
from shouwen.sla.domain.course import Course, Courses
from shouwen.sla.domain.instant import HOUR, MINUTE, day_start, moment
from shouwen.sla.domain.pack import FieldTest, Target, When

_DAY = 24 * HOUR
_AGREED_AFTER = 14 * _DAY
"""How far away the agreed deadline is for which targets without a limit of their own are compared."""
_LONGEST_EXAMPLE_DAYS = 400


@dataclass(frozen=True, slots=True)
class Case:
    """A case that shows the difference. Instants in microseconds; None: never."""

    starts_at: int
    candidate_at: int | None
    required_at: int | None
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Loosening:
    """One way in which the candidate is looser: the field of the pack, what is wrong, and a case if time shows it."""

    field: str
    problem: str
    case: Case | None = None


def is_stricter_or_equal(candidate: Target, required: Target, schedule: Schedule | Timetable) -> bool:
    """Whether ``candidate`` demands everything that ``required`` does, under one schedule."""
    return next(iter(_found(candidate, required, _timetable(schedule))), None) is None


def loosenings(candidate: Target, required: Target, schedule: Schedule | Timetable) -> list[Loosening]:
    """In what the candidate is looser than what is required; empty when it is stricter or equal."""
    return list(_found(candidate, required, _timetable(schedule)))


def _timetable(schedule: Schedule | Timetable) -> Timetable:
    return schedule if isinstance(schedule, Timetable) else Timetable(schedule)


def _found(candidate: Target, required: Target, timetable: Timetable) -> Iterator[Loosening]:
    yield from _events(candidate, required)
    yield from _terms(candidate, required)
    comparable = list(_agreement(candidate, required))
    yield from comparable
    if comparable:
        return
    try:
        yield from _times(candidate, required, timetable)
    except NoWorkingTime:
        yield Loosening("limit", "reaches further than the schedule has working time")


# --- what starts and ends a clock -----------------------------------------------------------------------------------


def _events(candidate: Target, required: Target) -> Iterator[Loosening]:
    for name in ("applies", "start", "resume"):
        for when in getattr(required, name):
            if not any(_covers(other, when) for other in getattr(candidate, name)):
                shown = "start" if name == "applies" else name
                yield Loosening(shown, f"{_shown(when)} has to {_VERBS[shown]} it, with no further condition")
    for name in ("stop", "pause", "cancel"):
        for when in getattr(candidate, name):
            if not any(_covers(other, when) for other in getattr(required, name)):
                yield Loosening(name, f"{_shown(when)} must not {_VERBS[name]} it: nothing required says so")
    if required.reopen and required.reopen_mode != "none":
        if candidate.reopen_mode != required.reopen_mode:
            yield Loosening("reopen_mode", f"has to be {required.reopen_mode}")
        for when in required.reopen:
            if not any(_covers(other, when) for other in candidate.reopen):
                yield Loosening("reopen", f"{_shown(when)} has to reopen it, with no further condition")
    if candidate.early_stop and not required.early_stop:
        yield Loosening("early_stop", "meets the target by what happened before it started")


_VERBS = {"start": "start", "resume": "resume", "stop": "stop", "pause": "pause", "cancel": "cancel"}


def _shown(when: When) -> str:
    return when.event if not when.tests else f"{when.event} (if {', '.join(name for name, _ in when.tests)} …)"


def _covers(wide: When, narrow: When) -> bool:
    """Whether every event that meets ``narrow`` meets ``wide`` too, and means the same."""
    same = (wide.event, wide.at, wide.reason, wide.until) == (narrow.event, narrow.at, narrow.reason, narrow.until)
    return same and all(any(_implies(name, test, given) for given in narrow.tests) for name, test in wide.tests)


def _implies(name: str, test: object, given: tuple[str, object]) -> bool:
    """Whether a condition that is given makes another one true."""
    other_name, other = given
    if other_name != name:
        return False
    if test == other:
        return True
    if isinstance(test, FieldTest) and not isinstance(other, FieldTest):
        values = _values(other)
        return test.present is not False and not set(map(str, values)) & set(map(str, _values(test.not_)))
    if isinstance(test, FieldTest) and isinstance(other, FieldTest):
        excluded = set(map(str, _values(test.not_))) <= set(map(str, _values(other.not_)))
        return excluded and (test.present is None or test.present == other.present)
    return not isinstance(other, FieldTest) and set(map(str, _values(other))) <= set(map(str, _values(test)))


def _values(test: object) -> Sequence[object]:
    return test if isinstance(test, list) else [] if test is None else [test]


# --- terms that need no calendar ------------------------------------------------------------------------------------


def _terms(candidate: Target, required: Target) -> Iterator[Loosening]:
    if required.statutory and not candidate.statutory:
        yield Loosening("statutory", "has to be true: the target required is a duty by law")
    if added := sorted(candidate.pausable - required.pausable):
        yield Loosening("pausable", f"may not pause for {', '.join(added)}")
    for cap in required.caps:
        own = next((each for each in candidate.caps if each.reason == cap.reason), None)
        if cap.reason in candidate.pausable and (own is None or own.unit != cap.unit or own.limit > cap.limit):
            yield Loosening("pausable", f"may pause for {cap.reason} at most {cap.limit} {cap.unit}")
    if candidate.extension is not None and (
        required.extension is None or required.extension.role != candidate.extension.role
    ):
        allowed = "nobody" if required.extension is None else required.extension.role
        yield Loosening("extension", f"may be approved by {allowed} alone")
    for name in sorted({each.name for each in fields(Target)} - _JUDGED):
        if getattr(candidate, name) != getattr(required, name):
            yield Loosening(name, "has to be as required")


_JUDGED = frozenset(
    {"pack", "version", "policy", "name", "clause", "basis", "title", "applies", "start", "stop", "pause", "resume"}
    | {"cancel", "reopen", "reopen_mode", "limit", "unit", "due_field", "monthly", "no_later_than", "later", "rolls"}
    | {"early_stop", "warnings", "escalations", "pausable", "caps", "statutory", "extension", "given"}
)
"""Fields judged one by one; a field that is not among them has to be the same."""


def _agreement(candidate: Target, required: Target) -> Iterator[Loosening]:
    """Deadlines that are agreed for each clock can only be compared with deadlines agreed in the same way."""
    if (candidate.due_field, candidate.monthly) != (required.due_field, required.monthly):
        wanted = "an agreed time" if required.is_agreed else f"{required.limit} {required.unit}"
        yield Loosening("due" if candidate.is_agreed else "limit", f"cannot be compared with {wanted}")
    if candidate.later != required.later and required.later == "never":
        yield Loosening("later", "has to be never: a later time does not count")
    if required.no_later_than is not None and candidate.no_later_than is None:
        limit, unit = required.no_later_than
        yield Loosening("no_later_than", f"has to be given, at most {limit} {unit}")


# --- deadlines, warnings, escalation, for every start ---------------------------------------------------------------


def _times(candidate: Target, required: Target, timetable: Timetable) -> Iterator[Loosening]:
    starts = _starts(candidate, required, timetable)
    is_later = False
    for found in _steps(candidate, required, starts, timetable):
        is_later = is_later or found.field == "limit"
        yield found
    if candidate.is_agreed:
        yield from _ends(candidate.no_later_than, required.no_later_than, "no_later_than", starts, timetable)
    elif candidate.pausable and not is_later and (found := _paused(candidate, required, starts, timetable)) is not None:
        yield Loosening("unit", "can end later than required, for a pause takes out other time", found)
    if candidate.extension is not None and required.extension is not None and not candidate.is_agreed:
        longest = candidate.limit + candidate.extension.most, candidate.unit
        allowed = required.limit + required.extension.most, required.unit
        yield from _ends(longest, allowed, "extension", starts, timetable)


def _ends(
    candidate: tuple[int, Unit] | None,
    required: tuple[int, Unit] | None,
    field: str,
    starts: Iterable[int],
    timetable: Timetable,
) -> Iterator[Loosening]:
    if candidate is None or required is None:
        return
    (limit, unit), (most, most_unit) = candidate, required
    if unit == most_unit and limit <= most:
        return
    found = _first_later(
        starts,
        lambda start: _used_up(limit, unit, start, timetable),
        lambda start: _used_up(most, most_unit, start, timetable),
    )
    if found is not None:
        yield Loosening(field, "reaches later than required", found)


def _used_up(limit: int, unit: Unit, start: int, timetable: Timetable) -> int:
    allowance = allow(limit, unit, start, timetable)
    return allowance.measure.reached(allowance.counts_from, allowance.amount)


def _first_later(starts: Iterable[int], candidate: Callable[[int], int], required: Callable[[int], int]) -> Case | None:
    for start in starts:
        ends, has_to_end = candidate(start), required(start)
        if ends > has_to_end:
            return Case(start, ends, has_to_end)
    return None


def _steps(candidate: Target, required: Target, starts: Sequence[int], timetable: Timetable) -> Iterator[Loosening]:
    """The deadline and each warning no later than required, and each role told no later than required."""
    own, other = Courses(candidate, timetable), Courses(required, timetable)
    open_fields = ["limit", "warn_at", *dict.fromkeys(f"escalate {step.role}" for step in required.escalations)]
    for start in starts:
        agreed = start + _AGREED_AFTER if candidate.is_agreed else None
        ours, theirs = own.of(start, agreed, ()), other.of(start, agreed, ())
        for name in tuple(open_fields):
            late = _later(_instants(ours, name), _instants(theirs, name))
            if late is not None:
                open_fields.remove(name)
                field, _, role = name.partition(" ")
                yield Loosening(
                    field, f"{role} is told later than required" if role else _LATER[field], Case(start, *late)
                )
        if not open_fields:
            return


_LATER = {"limit": "ends later than required", "warn_at": "warns later than required"}


def _instants(course: Course, name: str) -> list[int]:
    if name == "limit":
        return [course.due_at]
    field, _, role = name.partition(" ")
    kind = "at_risk" if field == "warn_at" else "escalated"
    # The steps of a course are in order, and none is open without a pause.
    return [
        step.at
        for step in course.steps
        if step.kind == kind and step.at is not None and (not role or step.role == role)
    ]


def _later(ours: Sequence[int], theirs: Sequence[int]) -> tuple[int | None, int | None] | None:
    """The first of ours, in order, that is later than theirs, or is missing."""
    for place, wanted in enumerate(theirs):
        own = ours[place] if place < len(ours) else None
        if own is None or own > wanted:
            return own, wanted
    return None


# --- pauses ---------------------------------------------------------------------------------------------------------


def _paused(candidate: Target, required: Target, starts: Iterable[int], timetable: Timetable) -> Case | None:
    """A case in which pauses bring the candidate's deadline behind the one required.

    Whoever wants that pauses whenever the candidate's time would run and the other's would not, and lets both run
    otherwise. Against pauses in working time, working time as such never ends, while elapsed time does.
    """
    is_working, has_to_be_working = candidate.unit.startswith("working"), required.unit.startswith("working")
    for start in starts:
        own = allow(candidate.limit, candidate.unit, start, timetable, rolls=candidate.rolls)
        other = allow(required.limit, required.unit, start, timetable, rolls=required.rolls)
        ahead = other.measure.counted(other.counts_from, own.counts_from)
        if (is_working and not has_to_be_working) or own.amount + ahead > other.amount:
            return _with_pauses(
                start, own, other, timetable, is_working=is_working, same=is_working == has_to_be_working
            )
    return None


def _with_pauses(
    start: int, own: Allowance, other: Allowance, timetable: Timetable, *, is_working: bool, same: bool
) -> Case:
    pauses: list[Pause] = []
    if own.counts_from < other.counts_from:
        pauses.append(Pause(start, other.counts_from, "example"))
    begins = max(start, other.counts_from if pauses else start)
    if not same:
        for part in timetable.slices(begins, begins + _LONGEST_EXAMPLE_DAYS * _DAY):
            if part.counts == is_working:
                pauses.append(Pause(part.starts, part.ends, "example"))
            if other.counted(part.ends, pauses) >= other.amount:
                break
    has_to_end = other.used_up(other.amount, pauses)
    shown = [pause for pause in pauses if has_to_end is None or pause.starts < has_to_end]
    return Case(start, own.used_up(own.amount, shown), other.used_up(other.amount, shown), tuple(shown))


# --- the starts to look at ------------------------------------------------------------------------------------------


def _starts(candidate: Target, required: Target, timetable: Timetable) -> list[int]:
    """Starts of one year between which no deadline, warning or escalation behaves otherwise than at them.

    Beginnings of working time come first, so that a case that is shown is an ordinary one if there is such a case.
    """
    year = timetable.public.last_announced_year
    begins, ends = (day_start(date(number, 1, 1), timetable.zone) for number in (year, year + 1))
    units = {unit for target in (candidate, required) for unit in _units(target)}
    opens, closes = timetable.opens(year), [*timetable.closes(year), *timetable.closes(year + 1)]
    if units <= {_ELAPSED}:
        return [opens[0] if opens else begins]
    midnights = [*timetable.midnights(year), *timetable.midnights(year + 1)]
    found = {*midnights, *(at - 1 for at in midnights)}
    if units & {"working_hours", "working_minutes"}:
        found |= {*opens, *timetable.closes(year)}
    for target in (candidate, required):
        for unit, amount in _amounts(target):
            if unit != "calendar_hours":
                for at in _before(closes, amount, timetable):
                    found |= {at, at + 1}
            else:
                # Of a deadline that moves with the start, steps in other units have edges of their own.
                edges = _edges_of_steps(target, midnights, timetable, year)
                found |= {edge - amount + by for edge in edges for by in (-1, 0, 1)}
    first = set(opens)
    within = (at for at in found | first if begins <= at < ends)
    return sorted(within, key=lambda at: (at not in first, at))


def _edges_of_steps(target: Target, midnights: list[int], timetable: Timetable, year: int) -> list[int]:
    units = {step.unit for step in target.escalations if step.after > 0}
    edges = midnights if units & {"calendar_days", "working_days"} else []
    if units & {"working_hours", "working_minutes"}:
        years = (year, year + 1)
        edges = [*edges, *(at for each in years for at in (*timetable.opens(each), *timetable.closes(each)))]
    return edges


def _units(target: Target) -> Iterator[Unit]:
    if not target.is_agreed:
        yield target.unit
    if target.no_later_than is not None:
        yield target.no_later_than[1]
    for step in target.escalations:
        if step.after > 0:
            yield step.unit


def _amounts(target: Target) -> set[tuple[Unit, int]]:
    """Amounts of time after which something of the target falls due, for the units in which they are fixed."""
    found: set[tuple[Unit, int]] = set()
    if target.no_later_than is not None and target.no_later_than[1] in _FIXED:
        limit, unit = target.no_later_than
        found.add((unit, limit * _FIXED[unit]))
    if target.is_agreed:
        found.add((_ELAPSED, _AGREED_AFTER))
        return found | set(_later_on(target, _ELAPSED, _AGREED_AFTER))
    unit = target.unit
    if unit not in _FIXED:
        return found
    limit = target.limit * _FIXED[unit]
    found |= {(unit, limit), *_later_on(target, unit, limit)}
    if target.extension is not None:
        found.add((unit, limit + target.extension.most * _FIXED[unit]))
    for warning in target.warnings:
        if warning.percent is not None:
            found.add((unit, limit * warning.percent // 100))
        elif warning.before is not None:
            found.add((unit, limit - warning.before * _FIXED[unit]))
    return found


def _later_on(target: Target, unit: Unit, limit: int) -> Iterator[tuple[Unit, int]]:
    """Escalations that are counted in the same unit as the limit."""
    return ((unit, limit + step.after * _FIXED[unit]) for step in target.escalations if step.unit == unit)


_ELAPSED: Unit = "calendar_hours"
_FIXED: dict[Unit, int] = {"calendar_hours": HOUR, "working_hours": HOUR, "working_minutes": MINUTE}


def _before(edges: Sequence[int], amount: int, timetable: Timetable) -> Iterator[int]:
    """The starts from which so much working time ends at one of these instants."""
    anchor = day_start(date(moment(min(edges, default=0)).year - 3, 1, 1), timetable.zone)
    until = timetable.counted(anchor, edges[0]) if edges else 0
    for place, edge in enumerate(edges):
        until += timetable.counted(edges[place - 1], edge) if place else 0
        if until > amount:
            yield timetable.reached(anchor, until - amount)
