"""The kinds that a case had, one after another: a kind can be corrected, and clocks follow (I-02; 002 七(四))."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from shouwen.sla.domain.fact import Fact, instant_of
from shouwen.sla.domain.instant import micros
from shouwen.sla.domain.pack import Target, When
from shouwen.sla.domain.run import Folding, Kind, Run, Signal

_REGISTERED = "case.registered.v1"
_CORRECTED = "case.reclassified.v1"
RECLASSIFIED = "reclassified"
"""Reason for which the clocks of the former kind are cancelled."""

Span = tuple[int | None, int | None]
"""From, and before: None for as long as anything is known."""

WHOLE: Sequence[Span] = ((None, None),)


class Kinds:
    """What a case was from its registration on, and after each correction."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._changes: list[tuple[int, Fact]] = []
        self._registered: list[Fact] = []
        for fact in facts:
            if fact.type == _CORRECTED:
                at = instant_of(fact, "reclassified_at", _ANY_ZONE)
                self._changes.append((micros(fact.time) if at is None else at, fact))
            elif fact.type == _REGISTERED:
                self._registered.append(fact)
        self._changes.sort(key=lambda change: (change[0], change[1].id))

    def versions(self, fact: Fact) -> Sequence[Fact]:
        """A fact as it was told, and as it would have been after each correction."""
        if not self._changes or fact.type != _REGISTERED:
            return (fact,)
        corrected = ({name: change.data.get(name) for name in ("case_type", "severity")} for _, change in self._changes)
        return (fact, *(replace(fact, data={**fact.data, **fields}) for fields in corrected))

    def spans(self, target: Target) -> Sequence[Span]:
        """When the case was of the kind that a target is for."""
        if not self._changes or all(when.event != _REGISTERED for when in target.applies):
            return WHOLE
        starts = target.start if all(when.event == _REGISTERED for when in target.start) else ()
        every = [self.versions(fact) for fact in self._registered]
        begins: list[int | None] = [None, *(at for at, _ in self._changes)]
        spans: list[Span] = []
        for place, since in enumerate(begins):
            before = begins[place + 1] if place + 1 < len(begins) else None
            holds = any(
                _any_holds(target.applies, versions[place]) and (not starts or _any_holds(starts, versions[place]))
                for versions in every
            )
            if holds and spans and spans[-1][1] == since:
                spans[-1] = (spans[-1][0], before)
            elif holds:
                spans.append((since, before))
        return spans


_ANY_ZONE = ZoneInfo("UTC")
"""For fields that hold an instant with its offset."""


def _any_holds(triggers: Iterable[When], fact: Fact) -> bool:
    return any(when.event == fact.type and when.holds(fact.data) for when in triggers)


def through(folding: Folding, signals: Sequence[Signal], spans: Sequence[Span]) -> Sequence[Run]:
    """The runs of a target whose matter was of its kind in some spans only.

    With the end of a span its clock is cancelled. When the matter is of the kind again, another cycle counts from where
    the first one did, with everything that happened in between.
    """
    runs: list[Run] = []
    folded = 0
    for place, (_, before) in enumerate(spans):
        known = [signal for signal in signals if before is None or signal.at < before]
        if before is not None:
            known.append(Signal(before, Kind.CANCEL, f"{RECLASSIFIED} {place}", RECLASSIFIED))
        found = folding.runs(known)
        was_cut = folded > 0 and runs[-1].reason == RECLASSIFIED
        runs += found[folded - 1 if was_cut else folded :]
        folded = len(found)
    return runs
