"""The runs of one target: what its facts, in the order in which they happened, make of it.

A start after the end of one run begins the next. A reopened matter either goes on with the run that ended, where the
time in between counts as a pause, or begins a new one, as the pack says; what the first run was is kept either way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

from shouwen.sla.domain.allowance import Pause, allow
from shouwen.sla.domain.calendar import Timetable
from shouwen.sla.domain.clock import Extension
from shouwen.sla.domain.instant import day_start, local_date
from shouwen.sla.domain.pack import Target

CLOSED = "closed"
"""Reason of the pause between the end of a matter and its reopening."""


class Kind(IntEnum):
    """What a fact means to a target; facts of one instant take effect in this order."""

    START = 0
    PAUSE = 1
    RESUME = 2
    EXTEND = 3
    STOP = 4
    CANCEL = 5
    REOPEN = 6


@dataclass(frozen=True, slots=True, order=True)
class Signal:
    """What one fact means to one target."""

    at: int
    kind: Kind
    fact_id: str
    reason: str = field(default="", compare=False)
    by: str | None = field(default=None, compare=False)
    due: int | None = field(default=None, compare=False)
    until: int | None = field(default=None, compare=False)
    traceparent: str | None = field(default=None, compare=False)
    data: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False)
    told_at: int = field(default=0, compare=False)
    """When the fact was told; given where a later word takes the place of an earlier one."""


@dataclass(frozen=True, slots=True)
class Run:
    """One cycle of a target, from its start as far as the facts go."""

    started_at: int
    due: int | None = None
    """The agreed deadline, of a target that has no limit of its own."""
    agreed_at: int = 0
    """When it was agreed: what was paused before then is not added to it."""
    traceparent: str | None = None
    pauses: tuple[Pause, ...] = ()
    extensions: tuple[Extension, ...] = ()
    completed_at: int | None = None
    cancelled_at: int | None = None
    reason: str | None = None
    number: int | None = None
    """Which cycle it is, if not the next one: months that were never due have a number all the same."""

    @property
    def ended_at(self) -> int | None:
        """When it was met or cancelled."""
        return self.completed_at if self.completed_at is not None else self.cancelled_at

    @property
    def is_paused(self) -> bool:
        """Whether it stands still until a fact resumes it."""
        return bool(self.pauses) and self.pauses[-1].ends is None

    @property
    def extended(self) -> int:
        """How many units of the target were added to its limit."""
        return sum(each.units for each in self.extensions)

    def stands_still(self, at: int) -> bool:
        """Whether it is paused at an instant."""
        return bool(self.pauses) and (self.pauses[-1].ends is None or self.pauses[-1].ends > at)

    def resumed(self, at: int) -> "Run":
        """The pause, if one lasts, ends; a pause that ended before the start leaves no trace."""
        if not self.stands_still(at):
            return self
        last = replace(self.pauses[-1], ends=at)
        return replace(self, pauses=(*self.pauses[:-1], last) if at > last.starts else self.pauses[:-1])

    def reopened(self, at: int, by: str | None) -> "Run":
        """The run goes on: the time in which it was closed is a pause."""
        ended_at = self.ended_at
        assert ended_at is not None
        pauses = (*self.pauses, Pause(ended_at, at, CLOSED, by)) if at > ended_at else self.pauses
        return replace(self, pauses=pauses, completed_at=None, cancelled_at=None, reason=None)


Deadline = Callable[[Run], int]
"""When a run is due; while it is paused, as if it resumed as soon as it stopped."""


@dataclass(frozen=True, slots=True)
class Folding:
    """One target with what its fold needs to know about time."""

    target: Target
    timetable: Timetable
    deadline: Deadline

    def runs(self, signals: Sequence[Signal]) -> list[Run]:
        """The runs that these signals give, each in order."""
        if len(signals) == 1 and signals[0].kind is Kind.START:  # most facts begin something, and nothing else is known
            return [self._first(signals[0])]
        ordered = sorted(signals)
        start = next((signal for signal in ordered if signal.kind is Kind.START), None)
        if start is None:
            return []
        runs = [self._begun(start, [each for each in ordered if each.at < start.at])]
        for signal in ordered:
            if signal.at >= start.at and signal is not start:
                runs[-1:] = self._followed(runs[-1], signal)
        return runs

    def _followed(self, run: Run, signal: Signal) -> Iterator[Run]:
        """What becomes of a run by one signal: itself, changed or not, and the next one if that begins."""
        if run.ended_at is not None:
            if signal.kind is Kind.START and signal.at > run.ended_at:
                yield from (run, self._first(signal))
            elif signal.kind is Kind.REOPEN and self.target.reopen_mode == "resume":
                yield run.reopened(signal.at, signal.by)
            elif signal.kind is Kind.REOPEN and self.target.reopen_mode == "new_cycle":
                yield from (run, Run(signal.at, traceparent=signal.traceparent or run.traceparent))
            else:
                yield run
            return
        match signal.kind:
            case Kind.START:
                yield from self._agreed_anew(run, signal)
            case Kind.PAUSE:
                yield self._paused(run, signal)
            case Kind.RESUME:
                yield run.resumed(signal.at)
            case Kind.EXTEND:
                yield self._extended(run, signal)
            case Kind.STOP:
                yield replace(run.resumed(signal.at), completed_at=signal.at)
            case Kind.CANCEL:
                yield replace(run.resumed(signal.at), cancelled_at=signal.at, reason=signal.reason or "withdrawn")
            case Kind.REOPEN:
                yield run

    def _begun(self, start: Signal, earlier: Sequence[Signal]) -> Run:
        """The first run, with what had happened before it started: paused, stopped, withdrawn, reopened."""
        run = self._first(start)
        for signal in earlier:
            match signal.kind:
                case Kind.PAUSE:
                    run = self._paused(replace(run, pauses=()), signal, start.at)
                case Kind.RESUME:
                    run = replace(run, pauses=())
                case Kind.STOP:
                    if self.target.early_stop:
                        run = replace(run, completed_at=start.at)
                case Kind.CANCEL:
                    run = replace(run, cancelled_at=start.at, reason=signal.reason or "withdrawn")
                case Kind.REOPEN:
                    run = replace(run, completed_at=None, cancelled_at=None, reason=None)
                case Kind.START | Kind.EXTEND:
                    pass
        return run if run.ended_at is None else replace(run, pauses=())

    def _first(self, signal: Signal) -> Run:
        due = None if signal.due is None else self._allowed(signal, signal.at)
        return Run(signal.at, due, signal.at, signal.traceparent)

    def _allowed(self, signal: Signal, started_at: int) -> int:
        """An agreed time, or the latest one that the pack allows without the requester's consent (I-07)."""
        assert signal.due is not None
        if self.target.no_later_than is None or self._consented(signal):
            return signal.due
        latest = allow(*self.target.no_later_than, started_at, self.timetable)
        return min(signal.due, latest.measure.reached(latest.counts_from, latest.amount))

    def _consented(self, signal: Signal) -> bool:
        return self.target.later == "with_consent" and signal.data.get("requester_consented") is True

    def _agreed_anew(self, run: Run, signal: Signal) -> Iterator[Run]:
        """A time agreed while another one stands: an earlier one counts; a later one only by consent (I-07)."""
        if signal.due is None or run.due is None:
            yield run
            return
        stands = self.deadline(run)
        if stands < signal.at:
            # The promise is broken already; what is agreed now is another one.
            yield replace(run.resumed(signal.at), cancelled_at=signal.at, reason="agreed_anew")
            yield self._first(signal)
            return
        due = self._allowed(signal, run.started_at)
        is_taken = due < stands or (due > stands and self._consented(signal))
        yield replace(run, due=due, agreed_at=signal.at) if is_taken else run

    def _paused(self, run: Run, signal: Signal, started_at: int | None = None) -> Run:
        """The run stands still from a signal on, until the pack's cap or the expected time, if there is one."""
        at = signal.at if started_at is None else max(signal.at, started_at)
        if run.stands_still(at) and run.is_paused:
            return run
        ends = self._ends_by_itself(run, signal, at)
        if ends is not None and ends <= at:
            return run
        return replace(run, pauses=(*run.resumed(at).pauses, Pause(at, ends, signal.reason, signal.by)))

    def _ends_by_itself(self, run: Run, signal: Signal, at: int) -> int | None:
        ends = [] if signal.until is None else [signal.until]
        for cap in self.target.caps:
            if cap.reason == signal.reason:
                allowance = allow(cap.limit, cap.unit, at, self.timetable)
                used = sum(
                    allowance.measure.counted(pause.starts, min(pause.ends or at, at))
                    for pause in run.pauses
                    if pause.reason == cap.reason
                )
                ends.append(
                    allowance.measure.reached(allowance.counts_from, allowance.amount - used)
                    if used < allowance.amount
                    else at
                )
        return min(ends, default=None)

    def _extended(self, run: Run, signal: Signal) -> Run:
        """More time, if it was approved before the deadline and within what the pack allows."""
        extending, units = self.target.extension, signal.data.get("units")
        if extending is None or not isinstance(units, int) or units < 1 or run.extended + units > extending.most:
            return run
        if not run.stands_still(signal.at) and self.deadline(run) <= signal.at:
            return run
        extension = Extension(signal.at, units, signal.reason, signal.by, _text(signal.data.get("informed_at")))
        return replace(run, extensions=(*run.extensions, extension))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def monthly_runs(target: Target, signals: Sequence[Signal], timetable: Timetable, until: int) -> list[Run]:
    """A run for each month from the first agreed one to the one after ``until``: due at the agreed day's end.

    A schedule agreed later counts from its first month on. After the month in which a cancellation falls there are no
    more, unless they are scheduled anew. A stop settles the month that it names, whenever it happened.
    """
    monthly = target.monthly
    assert monthly is not None
    zone = timetable.zone
    ordered = sorted(signals)
    plans = sorted(
        _Plan(_month(local_date(each.at, zone)), each.told_at, each.fact_id, day, each.traceparent)
        for each in ordered
        if each.kind is Kind.START and isinstance(day := each.data.get(monthly.day), int)
    )
    settled: dict[date, int] = {}
    for signal in ordered:
        named = _day_of(signal.data.get(monthly.month)) if signal.kind is Kind.STOP else None
        if named is not None:
            settled.setdefault(_month(named), signal.at)
    ends = [_month(local_date(signal.at, zone)) for signal in ordered if signal.kind is Kind.CANCEL]
    runs: list[Run] = []
    month, number = (plans[0].first, 1) if plans else (date.max, 1)
    # What is not to come yet is not armed before its time, however far ahead somebody schedules or pays.
    last = max(month, _next_month(_month(local_date(until, zone)))) if plans else date.min
    while month <= last:
        plan = max(plan for plan in plans if plan.first <= month)
        if not any(plan.first <= end < month for end in ends):
            runs.append(_of_month(month, plan, settled.get(month), number, zone))
        month, number = _next_month(month), number + 1
    return runs


@dataclass(frozen=True, slots=True, order=True)
class _Plan:
    """From which month on which day of the month is agreed; of two for one month, the one that was told later."""

    first: date
    told_at: int
    fact_id: str
    day: int
    traceparent: str | None = field(compare=False)


def _of_month(month: date, plan: _Plan, paid_at: int | None, number: int, zone: ZoneInfo) -> Run:
    starts = day_start(month, zone)
    agreed = min(month + timedelta(days=plan.day - 1), _next_month(month) - timedelta(days=1))
    completed_at = None if paid_at is None else max(starts, paid_at)
    due = day_start(agreed + timedelta(days=1), zone)
    return Run(starts, due, starts, plan.traceparent, completed_at=completed_at, number=number)


def _month(day: date) -> date:
    return day.replace(day=1)


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _day_of(value: object) -> date | None:
    return date.fromisoformat(value[:10]) if isinstance(value, str) and value else None
