"""One target explained without a database: the same code as the service, on facts given by hand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shouwen.runtime.errors import Invalid, NotFound
from shouwen.sla.domain.calendar import Timetable
from shouwen.sla.domain.clock import Clock, Step
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.explanation import Segment, explain, remaining
from shouwen.sla.domain.fact import INSTRUCTED, Fact
from shouwen.sla.domain.pack import Pack, Target, When

_STARTED = "explained.started"


@dataclass(frozen=True, slots=True)
class Instruction:
    """A fact given by hand: what happened to the clock, and when."""

    at: datetime
    do: str
    reason: str | None = None
    by: str | None = None
    until: datetime | None = None
    """Of a pause: when it ends by itself."""
    units: int | None = None
    """Of an extension: how much more time, in the target's unit."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The clock that facts give, with its reasons. ``firings`` are those that happen unless something changes."""

    clock: Clock
    segments: Sequence[Segment]
    firings: Sequence[Step]
    remaining: int


def find_target(packs: Iterable[Pack], pack: str, policy: str, target: str) -> tuple[Pack, Target]:
    """One target of the newest version of a pack.

    Raises:
        NotFound: naming what there is instead.
    """
    by_name = {each.name: each for each in sorted(packs, key=lambda each: each.version)}
    found = by_name.get(pack)
    if found is None:
        raise NotFound(f"There is no pack {pack}.", field="pack", remedy=f"Use one of {', '.join(sorted(by_name))}.")
    for each in found.targets:
        if each.key == (policy, target):
            return found, each
    known = ", ".join(f"{each.policy} {each.name}" for each in found.targets)
    raise NotFound(f"{pack} has no target {policy} {target}.", field="target", remedy=f"Use one of {known}.")


def explain_target(
    pack: Pack,
    target: Target,
    *,
    start: datetime,
    due: datetime | None,
    instructions: Iterable[Instruction],
    timetable: Timetable,
) -> Explanation:
    """The clock of one target that starts at an instant, and why it is due when it is.

    Raises:
        Invalid: the target's deadline comes from its start event and was not given.
    """
    if target.is_agreed and due is None:
        raise Invalid(
            f"{target.policy} {target.name} has no limit: its deadline is agreed.",
            field="due",
            remedy="Give --due with the agreed time.",
        )
    begun = When(_STARTED, "at")
    alone = replace(target, applies=(begun,), start=(begun,), stop=(), pause=(), resume=(), cancel=(), reopen=())
    if target.is_agreed:
        alone = replace(alone, monthly=None, due_field="due")
    composition = Composition([replace(pack, targets=(alone,))], timetable)
    data: dict[str, Any] = {"at": start.isoformat()}
    if due is not None:
        data["due"] = due.isoformat()
    facts = [Fact("start", _STARTED, start, data)]
    for place, each in enumerate(instructions):
        until = None if each.until is None else each.until.isoformat()
        told: dict[str, Any] = {"at": each.at.isoformat(), "do": each.do, "reason": each.reason, "by": each.by}
        told |= {"until": until, "units": each.units}
        facts.append(Fact(f"fact {place}", INSTRUCTED, each.at, told))
    [clock] = composition.evaluate("offline", "offline", facts)
    segments = explain(clock, timetable)
    firings = [
        step for step in clock.steps if step.at is not None and (clock.ended_at is None or step.at < clock.ended_at)
    ]
    return Explanation(clock, segments, firings, remaining(clock, segments))
