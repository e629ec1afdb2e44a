"""From facts to clocks: a fold of everything known about a subject, in the order in which it happened.

The order in which facts arrive, and how often, makes no difference: they are sorted by the instants they tell. So a
replay gives the same clocks, and a fact that comes late moves them to where they would have been.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from uuid import UUID

from shouwen.contracts.clock import ClockState
from shouwen.sla.domain.allowance import Pause
from shouwen.sla.domain.calendar import Timetable
from shouwen.sla.domain.clock import Clock, Responsible, clock_id
from shouwen.sla.domain.composition import BASELINE, PackVersion, bind
from shouwen.sla.domain.course import Course, Courses
from shouwen.sla.domain.fact import INSTRUCTED, Fact, instant_of
from shouwen.sla.domain.pack import Pack, Target, When

__all__ = ["BASELINE", "Composition", "responsibility"]


class _Kind(IntEnum):
    """What a fact means to a target; facts of one instant take effect in this order."""

    START = 0
    PAUSE = 1
    RESUME = 2
    STOP = 3
    CANCEL = 4


@dataclass(frozen=True, slots=True, order=True)
class _Signal:
    at: int
    kind: _Kind
    fact_id: str
    reason: str = ""
    by: str | None = None
    due: int | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class _Binding:
    target: int
    kind: _Kind
    when: When


class Composition:
    """The packs of one branch, ready to evaluate: the branch's own, and the baseline where none refines it."""

    def __init__(self, packs: Iterable[Pack | PackVersion], timetable: Timetable) -> None:
        self.timetable = timetable
        versions = [each if isinstance(each, PackVersion) else PackVersion(each) for each in packs]
        self.bounds = bind(versions, timetable.zone)
        self.targets: list[Target] = [bound.target for bound in self.bounds]
        self._courses = [Courses(target, timetable) for target in self.targets]
        self._bindings: dict[str, list[_Binding]] = {}
        self._applies: dict[str, list[tuple[int, When]]] = {}
        for index, target in enumerate(self.targets):
            self._bind(index, target)

    def _bind(self, index: int, target: Target) -> None:
        for kind, triggers in (
            (_Kind.START, target.start),
            (_Kind.STOP, target.stop),
            (_Kind.PAUSE, target.pause),
            (_Kind.RESUME, target.resume),
            (_Kind.CANCEL, target.cancel),
        ):
            for when in triggers:
                self._bindings.setdefault(when.event, []).append(_Binding(index, kind, when))
        for when in target.applies:
            self._applies.setdefault(when.event, []).append((index, when))

    def evaluate(self, branch: str, subject: str, facts: Iterable[Fact]) -> list[Clock]:
        """Every clock that the facts about a subject give, in the order of the packs, each target's cycles in order."""
        unique = {fact.id: fact for fact in facts}
        applicable: set[int] = set()
        signals: dict[int, list[_Signal]] = {}
        for fact in unique.values():
            for index, when in self._applies.get(fact.type, ()):
                if index not in applicable and when.holds(fact.data):
                    applicable.add(index)
            for binding in self._bindings.get(fact.type, ()):
                signal = self._signal(fact, binding)
                if signal is not None:
                    signals.setdefault(binding.target, []).append(signal)
            if fact.type == INSTRUCTED:
                for index, signal in self._instructed(fact):
                    signals.setdefault(index, []).append(signal)
        responsible = responsibility(unique.values())
        clocks: dict[UUID, Clock] = {}
        for index in sorted(applicable):
            target, bound = self.targets[index], self.bounds[index]
            for cycle, run in enumerate(_runs(target, signals.get(index, [])), 1):
                if bound.governs(run.started_at, run.ended_at):
                    ended = _removed(run, bound.removed_at)
                    course = self._courses[index].of(ended.started_at, ended.due, ended.pauses)
                    clock = _clock(branch, subject, target, cycle, ended, course, responsible)
                    # A later version of the pack that takes running clocks over gives the same clock again.
                    clocks[clock.clock_id] = clock
        return list(clocks.values())

    def _signal(self, fact: Fact, binding: _Binding) -> _Signal | None:
        when, target = binding.when, self.targets[binding.target]
        if not when.holds(fact.data):
            return None
        at = instant_of(fact, when.at, self.timetable.zone)
        if at is None:
            return None
        reason = when.reason or str(fact.data.get("reason") or "")
        if binding.kind is _Kind.PAUSE and reason not in target.pausable:
            return None
        due: int | None = None
        if binding.kind is _Kind.START and target.due_field is not None:
            due = instant_of(fact, target.due_field, self.timetable.zone)
            if due is None:
                return None
        return _Signal(at, binding.kind, fact.id, reason, _text(fact.data.get("by")), due, fact.traceparent)

    def _instructed(self, fact: Fact) -> Iterable[tuple[int, _Signal]]:
        kind = _INSTRUCTIONS.get(str(fact.data.get("do")))
        at = instant_of(fact, "at", self.timetable.zone)
        if kind is None or at is None:
            return
        reason = str(fact.data.get("reason") or "")
        for index, target in enumerate(self.targets):
            meant = all(
                fact.data.get(name) in {None, value}
                for name, value in (("pack", target.pack), ("policy", target.policy), ("target", target.name))
            )
            if meant and (kind is not _Kind.PAUSE or reason in target.pausable):
                yield index, _Signal(at, kind, fact.id, reason, _text(fact.data.get("by")))


_INSTRUCTIONS: Mapping[str, _Kind] = {
    "pause": _Kind.PAUSE,
    "resume": _Kind.RESUME,
    "stop": _Kind.STOP,
    "cancel": _Kind.CANCEL,
}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def responsibility(facts: Iterable[Fact]) -> Responsible:
    """Who answers for the subject now: the last fact that names an owner, and the last that names a department."""
    owner = department = None
    for fact in sorted(facts, key=lambda each: (each.time, each.id)):
        owner = _text(fact.data.get("owner")) or owner
        department = _text(fact.data.get("department")) or department
    return Responsible(owner, department)


@dataclass(frozen=True, slots=True)
class _Run:
    """One cycle of a target, from its start as far as the facts go."""

    started_at: int
    due: int | None
    traceparent: str | None
    pauses: tuple[Pause, ...] = ()
    completed_at: int | None = None
    cancelled_at: int | None = None
    reason: str | None = None

    @property
    def ended_at(self) -> int | None:
        return self.completed_at if self.completed_at is not None else self.cancelled_at

    @property
    def is_paused(self) -> bool:
        return bool(self.pauses) and self.pauses[-1].ends is None

    def resumed(self, at: int) -> "_Run":
        """The pause, if one lasts, ends; a pause that ended before the start leaves no trace."""
        if not self.is_paused:
            return self
        last = replace(self.pauses[-1], ends=at)
        return replace(self, pauses=(*self.pauses[:-1], last) if at > last.starts else self.pauses[:-1])


def _removed(run: _Run, removed_at: int | None) -> _Run:
    """The run, ended when its target was taken out of the pack."""
    if removed_at is None or run.started_at >= removed_at or (run.ended_at is not None and run.ended_at < removed_at):
        return run
    ended = run.resumed(removed_at)
    return replace(ended, completed_at=None, cancelled_at=removed_at, reason="target_removed")


def _runs(target: Target, signals: list[_Signal]) -> Sequence[_Run]:
    """The cycles of a target: a start after the end of one begins the next; a start while one runs changes nothing."""
    ordered = sorted(signals)
    start = next((signal for signal in ordered if signal.kind is _Kind.START), None)
    if start is None:
        return ()
    runs: list[_Run] = [_begun(target, start, [each for each in ordered if each.at < start.at])]
    for signal in ordered:
        run = runs[-1]
        if signal.at < start.at:
            continue
        if run.ended_at is not None:
            if signal.kind is _Kind.START and signal.at > run.ended_at:
                runs.append(_Run(signal.at, signal.due, signal.traceparent))
            continue
        match signal.kind:
            case _Kind.START:
                pass
            case _Kind.PAUSE:
                if not run.is_paused:
                    run = replace(run, pauses=(*run.pauses, Pause(signal.at, None, signal.reason, signal.by)))
            case _Kind.RESUME:
                run = run.resumed(signal.at)
            case _Kind.STOP:
                run = replace(run.resumed(signal.at), completed_at=signal.at)
            case _Kind.CANCEL:
                run = replace(run.resumed(signal.at), cancelled_at=signal.at, reason=signal.reason or "withdrawn")
        runs[-1] = run
    return runs


def _begun(target: Target, start: _Signal, earlier: Sequence[_Signal]) -> _Run:
    """The first run, with what had happened before it started: paused, stopped, withdrawn."""
    run = _Run(start.at, start.due, start.traceparent)
    for signal in earlier:
        match signal.kind:
            case _Kind.PAUSE:
                if not run.is_paused:
                    run = replace(run, pauses=(Pause(start.at, None, signal.reason, signal.by),))
            case _Kind.RESUME:
                run = replace(run, pauses=())
            case _Kind.STOP:
                if target.early_stop:
                    run = replace(run, completed_at=start.at)
            case _Kind.CANCEL:
                run = replace(run, cancelled_at=start.at, reason=signal.reason or "withdrawn")
            case _Kind.START:
                pass
    return run if run.ended_at is None else replace(run, pauses=())


def _clock(
    branch: str, subject: str, target: Target, cycle: int, run: _Run, course: Course, responsible: Responsible
) -> Clock:
    return Clock(
        clock_id=clock_id(branch, subject, target, cycle),
        branch=branch,
        subject=subject,
        target=target,
        cycle=cycle,
        state=_state(run),
        started_at=run.started_at,
        due_at=course.due_at,
        deadline_stands=course.deadline_stands,
        allowance=course.allowance,
        pauses=run.pauses,
        steps=course.steps,
        provisional=course.provisional,
        responsible=responsible,
        ended_at=run.ended_at,
        reason=run.reason,
        traceparent=run.traceparent,
    )


def _state(run: _Run) -> ClockState:
    if run.completed_at is not None:
        return "completed"
    if run.cancelled_at is not None:
        return "cancelled"
    return "paused" if run.is_paused else "running"
