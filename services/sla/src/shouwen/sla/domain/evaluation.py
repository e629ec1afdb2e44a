"""From facts to clocks: a fold of everything known about a subject, in the order in which it happened.

The order in which facts arrive, and how often, makes no difference: they are sorted by the instants they tell. So a
replay gives the same clocks, and a fact that comes late moves them to where they would have been.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from uuid import UUID

from shouwen.contracts.clock import ClockState
from shouwen.sla.domain.calendar import Timetable
from shouwen.sla.domain.clock import Clock, Responsible, clock_id
from shouwen.sla.domain.composition import BASELINE, PackVersion, bind
from shouwen.sla.domain.course import Course, Courses
from shouwen.sla.domain.custody import Custody
from shouwen.sla.domain.fact import INSTRUCTED, Fact, instant_of
from shouwen.sla.domain.instant import micros
from shouwen.sla.domain.kinds import WHOLE, Kinds, Span, through
from shouwen.sla.domain.pack import Pack, Target, When
from shouwen.sla.domain.run import Folding, Kind, Run, Signal, monthly_runs

__all__ = ["BASELINE", "Composition"]


@dataclass(frozen=True, slots=True)
class _Trigger:
    """One condition on an event, and what it means to which targets: looked at once, however many share it."""

    when: When
    bound: list[tuple[int, Kind]]


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a fact means: which targets are for its sort of matter, and the places of the triggers that it meets."""

    applicable: frozenset[int]
    met: tuple[int, ...]


_NOTHING = _Meaning(frozenset(), ())
_KEPT_MEANINGS = 2000


class Composition:
    """The packs of one branch, ready to evaluate: the branch's own, and the baseline where none refines it."""

    def __init__(self, packs: Iterable[Pack | PackVersion], timetable: Timetable) -> None:
        self.timetable = timetable
        versions = [each if isinstance(each, PackVersion) else PackVersion(each) for each in packs]
        self.bounds = bind(versions, timetable.zone)
        self.targets: list[Target] = [bound.target for bound in self.bounds]
        self._courses = [Courses(target, timetable) for target in self.targets]
        self._foldings = [
            Folding(target, timetable, partial(self._due, index)) for index, target in enumerate(self.targets)
        ]
        self._triggers: dict[str, list[_Trigger]] = {}
        self._applies: dict[str, list[_Trigger]] = {}
        for index, target in enumerate(self.targets):
            self._bind(index, target)
        self._tested = {
            event: _tested([*self._triggers.get(event, ()), *self._applies.get(event, ())])
            for event in self._triggers.keys() | self._applies.keys()
        }
        # Facts that agree in the few fields which conditions look at mean the same: found once for all of them.
        self._meaning_of = lru_cache(maxsize=_KEPT_MEANINGS)(self._found_meaning)

    def _bind(self, index: int, target: Target) -> None:
        for kind, triggers in (
            (Kind.START, target.start),
            (Kind.STOP, target.stop),
            (Kind.PAUSE, target.pause),
            (Kind.RESUME, target.resume),
            (Kind.CANCEL, target.cancel),
            (Kind.REOPEN, target.reopen),
        ):
            for when in triggers:
                _add(self._triggers, when, index, kind)
        for when in target.applies:
            _add(self._applies, when, index, Kind.START)

    def evaluate(self, branch: str, subject: str, facts: Iterable[Fact], now: datetime | None = None) -> list[Clock]:
        """Every clock that the facts about a subject give, in the order of the packs, each target's cycles in order.

        Args:
            branch: the branch of the matter.
            subject: what is timed.
            facts: everything known about it, in any order, repeated or not.
            now: until when monthly targets have come round; without it, until the last fact.
        """
        unique = {fact.id: fact for fact in facts}
        kinds = Kinds(unique.values())
        told = [[(version, self._meaning(version)) for version in kinds.versions(fact)] for fact in unique.values()]
        applicable = {index for versions in told for _, meaning in versions for index in meaning.applicable}
        signals: dict[int, list[Signal]] = {index: [] for index in sorted(applicable)}
        for versions in told:
            self._signal(versions, signals)
            fact = versions[0][0]
            if fact.type == INSTRUCTED:
                for index, signal in self._instructed(fact):
                    if index in signals:
                        signals[index].append(signal)
        custody = Custody(unique.values(), self.timetable.zone)
        until = max((micros(fact.time) for fact in unique.values()), default=0) if now is None else micros(now)
        clocks: dict[UUID, Clock] = {}
        for index, heard in signals.items():
            if not heard:
                continue
            target, bound = self.targets[index], self.bounds[index]
            for cycle, run in enumerate(self._runs(index, heard, kinds.spans(target), until), 1):
                if bound.governs(run.started_at, run.ended_at):
                    ended = _removed(run, bound.removed_at)
                    responsible = custody.at(ended.ended_at)
                    clock = _clock(
                        branch, subject, target, run.number or cycle, ended, self._course(index, ended), responsible
                    )
                    # A later version of the pack that takes running clocks over gives the same clock again.
                    clocks[clock.clock_id] = clock
        return list(clocks.values())

    def _runs(self, index: int, signals: list[Signal], spans: Sequence[Span], until: int) -> Sequence[Run]:
        target = self.targets[index]
        if target.monthly is not None:
            return monthly_runs(target, signals, self.timetable, until)
        folding = self._foldings[index]
        return folding.runs(signals) if spans is WHOLE else through(folding, signals, spans)

    def _due(self, index: int, run: Run) -> int:
        return self._course(index, run).due_at

    def _course(self, index: int, run: Run) -> Course:
        return self._courses[index].of(
            run.started_at, run.due, run.pauses, agreed_at=run.agreed_at, extended=run.extended
        )

    def _meaning(self, fact: Fact) -> _Meaning:
        tested = self._tested.get(fact.type)
        if tested is None:
            return _NOTHING
        return self._meaning_of(fact.type, tuple([_comparable(fact.data.get(name)) for name in tested]))

    def _found_meaning(self, event: str, values: tuple[object, ...]) -> _Meaning:
        data = dict(zip(self._tested[event], values, strict=True))
        return _Meaning(
            frozenset(
                index
                for trigger in self._applies.get(event, ())
                if trigger.when.holds(data)
                for index, _ in trigger.bound
            ),
            tuple(place for place, trigger in enumerate(self._triggers.get(event, ())) if trigger.when.holds(data)),
        )

    def _signal(self, versions: Sequence[tuple[Fact, _Meaning]], signals: Mapping[int, list[Signal]]) -> None:
        """Add what a fact means, in its first version that means it, to those targets that it concerns."""
        met: dict[int, Fact] = {}
        for version, meaning in versions:
            for place in meaning.met:
                met.setdefault(place, version)
        for place in sorted(met):
            self._add_signal(self._triggers[met[place].type][place], met[place], signals)

    def _add_signal(self, trigger: _Trigger, fact: Fact, signals: Mapping[int, list[Signal]]) -> None:
        when, zone = trigger.when, self.timetable.zone
        at = instant_of(fact, when.at, zone)
        if at is None:
            return
        reason = when.reason or str(fact.data.get("reason") or "")
        until = None if when.until is None else instant_of(fact, when.until, zone)
        by = _text(fact.data.get("by")) or _text(fact.data.get("paused_by"))
        for index, kind in trigger.bound:
            target = self.targets[index]
            if index not in signals or (kind is Kind.PAUSE and reason not in target.pausable):
                continue
            due: int | None = None
            if kind is Kind.START and target.due_field is not None:
                due = instant_of(fact, target.due_field, zone)
                if due is None:
                    continue
            told_at = 0 if target.monthly is None else micros(fact.time)
            signal = Signal(at, kind, fact.id, reason, by, due, until, fact.traceparent, fact.data, told_at)
            signals[index].append(signal)

    def _instructed(self, fact: Fact) -> Iterable[tuple[int, Signal]]:
        kind = _INSTRUCTIONS.get(str(fact.data.get("do")))
        at = instant_of(fact, "at", self.timetable.zone)
        if kind is None or at is None:
            return
        reason = str(fact.data.get("reason") or "")
        until = instant_of(fact, "until", self.timetable.zone)
        for index, target in enumerate(self.targets):
            meant = all(
                fact.data.get(name) in {None, value}
                for name, value in (("pack", target.pack), ("policy", target.policy), ("target", target.name))
            )
            if meant and (kind is not Kind.PAUSE or reason in target.pausable):
                yield index, Signal(at, kind, fact.id, reason, _text(fact.data.get("by")), until=until, data=fact.data)


def _tested(conditions: Iterable[_Trigger]) -> list[str]:
    """The fields of an event which conditions look at."""
    return sorted({name for condition in conditions for name, _ in condition.when.tests})


def _comparable(value: object) -> object:
    """A field's value as conditions see it: no condition can tell lists and objects from one another."""
    return value if value is None or isinstance(value, (str, int, float)) else ...


def _add(triggers: dict[str, list[_Trigger]], when: When, index: int, kind: Kind) -> None:
    of_event = triggers.setdefault(when.event, [])
    same = next((trigger for trigger in of_event if trigger.when == when), None)
    if same is None:
        of_event.append(_Trigger(when, [(index, kind)]))
    else:
        same.bound.append((index, kind))


_INSTRUCTIONS: Mapping[str, Kind] = {
    "pause": Kind.PAUSE,
    "resume": Kind.RESUME,
    "extend": Kind.EXTEND,
    "stop": Kind.STOP,
    "cancel": Kind.CANCEL,
}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _removed(run: Run, removed_at: int | None) -> Run:
    """The run, ended when its target was taken out of the pack."""
    if removed_at is None or run.started_at >= removed_at or (run.ended_at is not None and run.ended_at < removed_at):
        return run
    ended = run.resumed(removed_at)
    return replace(ended, completed_at=None, cancelled_at=removed_at, reason="target_removed")


def _clock(
    branch: str, subject: str, target: Target, cycle: int, run: Run, course: Course, responsible: Responsible
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
        extensions=run.extensions,
    )


def _state(run: Run) -> ClockState:
    if run.completed_at is not None:
        return "completed"
    if run.cancelled_at is not None:
        return "cancelled"
    return "paused" if run.is_paused else "running"
