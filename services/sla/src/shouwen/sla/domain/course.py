"""The course of a clock: what it may use up, when it is due, and when it warns and escalates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from shouwen.sla.domain.allowance import ELAPSED, Allowance, Pause, allow, closed
from shouwen.sla.domain.calendar import Timetable
from shouwen.sla.domain.clock import Step
from shouwen.sla.domain.instant import day_start
from shouwen.sla.domain.pack import Target


@dataclass(frozen=True, slots=True)
class Course:
    """From a start to the last escalation. See ``Clock`` for ``due_at`` and ``deadline_stands``."""

    allowance: Allowance
    due_at: int
    deadline_stands: bool
    steps: tuple[Step, ...]
    provisional: bool


class Courses:
    """The courses of one target in one timetable.

    Most clocks never pause. Without a pause the course of a target counted in days is the same for all starts of a
    day, and one counted in elapsed hours is the same for all starts, only shifted: both are computed once.
    """

    def __init__(self, target: Target, timetable: Timetable) -> None:
        self._target = target
        self._timetable = timetable
        self._of_day = lru_cache(maxsize=4000)(self._starting_on)
        units = {target.unit, *(escalation.unit for escalation in target.escalations)}
        self._shifted = self._computed(0, None, ()) if units == {"calendar_hours"} and not target.is_agreed else None

    def of(
        self,
        started_at: int,
        agreed: int | None,
        pauses: Sequence[Pause],
        *,
        agreed_at: int | None = None,
        extended: int = 0,
    ) -> Course:
        """The course of a clock.

        Args:
            started_at: when it starts.
            agreed: the deadline that the start event holds, for a target without a limit of its own.
            pauses: when it stands still, in order.
            agreed_at: when that deadline was agreed; pauses before then do not move it.
            extended: units that were added to the limit.
        """
        if not pauses and agreed is None and not extended:
            if self._shifted is not None:
                return _shift(self._shifted, started_at)
            if self._target.unit in {"calendar_days", "working_days"}:
                return self._of_day(self._timetable.date_of(started_at))
        return self._computed(started_at, agreed, pauses, agreed_at, extended)

    def _starting_on(self, day: date) -> Course:
        return self._computed(day_start(day, self._timetable.zone), None, ())

    def _computed(
        self,
        started_at: int,
        agreed: int | None,
        pauses: Sequence[Pause],
        agreed_at: int | None = None,
        extended: int = 0,
    ) -> Course:
        target, timetable = self._target, self._timetable
        limit = target.limit + extended
        if agreed is not None:
            allowance = Allowance(ELAPSED, started_at, _agreed_amount(started_at, agreed, agreed_at, pauses))
        else:
            allowance = allow(limit, target.unit, started_at, timetable, rolls=target.rolls)
        due = allowance.used_up(allowance.amount, pauses)
        due_without_pause = allowance.used_up(allowance.amount, closed(pauses)) if due is None else due
        assert due_without_pause is not None
        warnings = sorted(self._warnings(started_at, allowance, limit, agreed))
        steps = [Step("at_risk", allowance.used_up(amount, pauses)) for amount in warnings]
        steps.append(Step("breached", due))
        steps.extend(self._escalations(due, pauses))
        return Course(
            allowance=allowance,
            due_at=due_without_pause,
            deadline_stands=due is not None,
            steps=tuple(steps),
            provisional=_counts_work(target) and timetable.is_provisional(started_at, due_without_pause),
        )

    def _warnings(self, started_at: int, allowance: Allowance, limit: int, agreed: int | None) -> Iterator[int]:
        target = self._target
        for warning in target.warnings:
            if warning.percent is not None:
                yield allowance.amount * warning.percent // 100
            elif warning.before is not None and agreed is None:
                shorter = allow(limit - warning.before, target.unit, started_at, self._timetable)
                yield min(shorter.amount, allowance.amount)

    def _escalations(self, due: int | None, pauses: Sequence[Pause]) -> Iterator[Step]:
        """In the order of their levels, none before the one below it."""
        latest = due
        for escalation in self._target.escalations:
            if latest is None or due is None:
                yield Step("escalated", None, escalation.level, escalation.role)
                continue
            at: int | None = due
            if escalation.after > 0:
                beyond = allow(escalation.after, escalation.unit, due, self._timetable)
                at = beyond.used_up(beyond.amount, pauses)
            latest = None if at is None else max(latest, at)
            yield Step("escalated", latest, escalation.level, escalation.role)


def _agreed_amount(started_at: int, agreed: int, agreed_at: int | None, pauses: Sequence[Pause]) -> int:
    """What counts until an agreed deadline: it was agreed with the pauses before in mind, so they do not move it."""
    if agreed_at is None or agreed_at <= started_at:
        return max(0, agreed - started_at)
    counted = Allowance(ELAPSED, started_at, 0).counted(agreed_at, pauses)
    return max(0, counted + agreed - agreed_at)


def _counts_work(target: Target) -> bool:
    """Whether its deadline rests on working days: those of its limit, or of the latest that may be agreed."""
    unit = target.unit if target.no_later_than is None else target.no_later_than[1]
    return unit.startswith("working")


def _shift(course: Course, by: int) -> Course:
    steps = tuple(
        Step(step.kind, None if step.at is None else step.at + by, step.level, step.role) for step in course.steps
    )
    allowance = Allowance(course.allowance.measure, by, course.allowance.amount)
    return Course(allowance, course.due_at + by, deadline_stands=True, steps=steps, provisional=False)
