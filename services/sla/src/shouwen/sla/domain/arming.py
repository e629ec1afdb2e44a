"""What follows when facts change a clock: how it is kept from now on, how far it has fired, and what to tell.

A clock is computed anew from all facts each time; this module compares it with what was kept. Steps that have fired
stay fired. Only when a step that has fired lies in the future again (the deadline was extended, or a pause became known
late) is it set again, as a new generation, so that its event differs from the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from shouwen.contracts import clock as facts
from shouwen.contracts.clock import ClockFact, ClockState
from shouwen.sla.domain.allowance import Pause
from shouwen.sla.domain.clock import Clock, firing_id, first_step
from shouwen.sla.domain.instant import micros, moment
from shouwen.sla.domain.run import CLOSED


@dataclass(frozen=True, slots=True)
class Armed:
    """A clock as it is kept. ``step`` is the index of the next firing; ``fired_at`` tells when each one fired."""

    clock: Clock
    step: int
    generation: int
    breached: bool
    fired_at: tuple[int | None, ...]
    state: ClockState

    @property
    def next_fire_at(self) -> int | None:
        """When it fires next; None when it has ended, has fired everything, or is paused."""
        if not self.clock.is_open or self.step >= len(self.clock.steps):
            return None
        return self.clock.steps[self.step].at


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a clock from before."""

    clock_id: UUID
    state: ClockState
    breached: bool
    started_at: int
    due_at: int
    deadline_stands: bool
    ended_at: int | None
    provisional: bool
    pauses: tuple[Pause, ...]
    instants: tuple[int | None, ...]
    step: int
    generation: int
    fired_at: tuple[int | None, ...]
    owner: str | None
    department: str | None
    extensions: tuple[int, ...] = ()
    """When each extension was approved."""

    @property
    def is_open(self) -> bool:
        """Whether it could still fire."""
        return self.state in {"scheduled", "running", "paused"}


@dataclass(frozen=True, slots=True)
class Telling:
    """An event to emit; ``event_id`` is given where a repeat of the same firing must be recognised."""

    event: ClockFact
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How a clock is kept from now on, and what to tell. ``armed`` is None when nothing changed."""

    armed: Armed | None
    tellings: tuple[Telling, ...] = ()


def decide(clock: Clock, kept: Kept | None, now: datetime) -> Decision:
    """Compare a clock with what was kept of it."""
    if kept is not None and _is_history(clock, kept):
        return Decision(None)
    armed = _armed(clock, kept, now)
    tellings: list[Telling] = []
    if armed.clock.ended_at is not None and clock.is_breached(now) and armed.step <= clock.breach_step:
        # It ended late, and the ticker had not come to it: the breach is a fact and is told once, here.
        tellings.append(
            Telling(
                breached_event(clock, now),
                str(firing_id(clock.clock_id, clock.cycle, clock.breach_step, armed.generation)),
            )
        )
        fired_at = list(armed.fired_at)
        fired_at[clock.breach_step] = micros(now)
        armed = replace(armed, step=clock.breach_step + 1, breached=True, fired_at=tuple(fired_at))
    if kept is not None and _is_same(armed, kept):
        return Decision(None)
    before = [Telling(event) for event in _before_the_end(clock, kept, now)]
    after = [Telling(event) for event in _the_end(armed, kept)]
    return Decision(armed, (*before, *tellings, *after))


def _is_history(clock: Clock, kept: Kept) -> bool:
    """Whether a clock has ended and no fact has changed it since.

    The deadline that was counted then stands, also when working hours or holidays are set otherwise afterwards. A
    deadline that was agreed is a fact itself.
    """
    return (
        not kept.is_open
        and not clock.target.is_agreed
        and (clock.state, clock.started_at, clock.ended_at) == (kept.state, kept.started_at, kept.ended_at)
        and clock.pauses == kept.pauses
        and (clock.responsible.owner, clock.responsible.department) == (kept.owner, kept.department)
        and tuple(extension.at for extension in clock.extensions) == kept.extensions
    )


def _armed(clock: Clock, kept: Kept | None, now: datetime) -> Armed:
    present = micros(now)
    if kept is None:
        step, generation = first_step(clock.steps, present) if clock.is_open else 0, 0
        nothing = (None,) * len(clock.steps)
        return Armed(clock, step, generation, breached=False, fired_at=nothing, state=clock.state_at(now))
    step, generation, fired_at = kept.step, kept.generation, kept.fired_at
    if len(fired_at) != len(clock.steps):  # another version of the pack
        fired_at = (*fired_at, *(None,) * len(clock.steps))[: len(clock.steps)]
    again = _set_again(clock, step, present) if clock.is_open else None
    if again is not None:
        step, generation = again, generation + 1
        fired_at = (*fired_at[:again], *(None,) * (len(clock.steps) - again))
    elif clock.is_open:
        step = max(step, first_step(clock.steps, present))
    has_breached = step > clock.breach_step
    breached = has_breached and clock.is_breached(now)
    return Armed(clock, step, generation, breached, fired_at, clock.state_at(now))


def _set_again(clock: Clock, step: int, now: int) -> int | None:
    """The first step that has fired and lies in the future again."""
    fired = clock.steps[:step]
    return next((index for index, each in enumerate(fired) if each.at is None or each.at > now), None)


def _is_same(armed: Armed, kept: Kept) -> bool:
    clock = armed.clock
    return (
        (armed.step, armed.generation, armed.breached) == (kept.step, kept.generation, kept.breached)
        and (armed.state, clock.started_at, clock.due_at, clock.deadline_stands, clock.ended_at, clock.provisional)
        == (kept.state, kept.started_at, kept.due_at, kept.deadline_stands, kept.ended_at, kept.provisional)
        and clock.pauses == kept.pauses
        and tuple(step.at for step in clock.steps) == kept.instants
        and (clock.responsible.owner, clock.responsible.department) == (kept.owner, kept.department)
        and tuple(extension.at for extension in clock.extensions) == kept.extensions
    )


def _before_the_end(clock: Clock, kept: Kept | None, now: datetime) -> Iterator[ClockFact]:
    if kept is None:
        yield facts.ClockStarted(
            **common(clock),
            started_at=moment(clock.started_at),
            due_at=moment(clock.due_at),
            provisional=clock.provisional,
        )
    moving = [*_pausing(clock, kept, micros(now)), *_extending(clock, kept)]
    yield from moving
    if kept is not None and not moving and clock.is_open and _is_moved(clock, kept):
        yield facts.ClockRecalculated(
            **common(clock),
            recalculated_at=now,
            previous_due_at=moment(kept.due_at),
            due_at=moment(clock.due_at),
            provisional=clock.provisional,
        )


def _is_moved(clock: Clock, kept: Kept) -> bool:
    return (clock.started_at, clock.due_at, clock.provisional) != (kept.started_at, kept.due_at, kept.provisional)


def _pausing(clock: Clock, kept: Kept | None, now: int) -> Iterator[ClockFact]:
    """Pauses that began or ended, as far as that was not told before; when a matter was closed, only its reopening."""
    before = {pause.starts: pause for pause in kept.pauses} if kept is not None else {}
    lasting = kept.pauses[-1].starts if kept is not None and kept.state == "paused" else None
    for pause in clock.pauses:
        earlier = before.get(pause.starts)
        if earlier is None and pause.reason != CLOSED:
            ends_by_itself = pause.ends is not None and pause.ends > now
            yield facts.ClockPaused(
                **common(clock),
                paused_at=moment(pause.starts),
                reason=pause.reason,
                until=moment(pause.ends) if pause.ends is not None and ends_by_itself else None,
            )
        was_told = earlier is not None and earlier.ends is not None and pause.starts != lasting
        if pause.ends is not None and pause.ends <= now and not was_told and pause.ends != clock.ended_at:
            yield facts.ClockResumed(**common(clock), resumed_at=moment(pause.ends), due_at=moment(clock.due_at))


def _extending(clock: Clock, kept: Kept | None) -> Iterator[ClockFact]:
    known = kept.extensions if kept is not None else ()
    for extension in clock.extensions:
        if extension.at not in known:
            approved_at = moment(extension.at)
            informed_at = datetime.fromisoformat(extension.informed_at) if extension.informed_at else approved_at
            yield facts.ClockExtended(
                **common(clock),
                extended_at=approved_at,
                previous_due_at=moment(kept.due_at if kept is not None else clock.due_at),
                due_at=moment(clock.due_at),
                reason=extension.reason or "extended",
                approved_by=extension.by or "unknown",
                requester_informed_at=informed_at,
            )


def _the_end(armed: Armed, kept: Kept | None) -> Iterator[ClockFact]:
    clock = armed.clock
    if clock.ended_at is None:
        return
    told = kept is not None and (kept.state, kept.ended_at, kept.breached, kept.due_at) == (
        clock.state,
        clock.ended_at,
        armed.breached,
        clock.due_at,
    )
    if told:
        return
    if clock.state == "completed":
        yield facts.ClockMet(
            **common(clock),
            completed_at=moment(clock.ended_at),
            due_at=moment(clock.due_at),
            breached=armed.breached,
        )
    else:
        yield facts.ClockCancelled(
            **common(clock), cancelled_at=moment(clock.ended_at), reason=clock.reason or "withdrawn"
        )


def breached_event(clock: Clock, now: datetime, told_with: UUID | None = None) -> facts.ClockBreached:
    """That the limit passed; ``told_with`` is the clock whose breach tells people of this one."""
    late = max(0.0, (micros(now) - clock.due_at) / 1_000_000)
    return facts.ClockBreached(**common(clock), due_at=moment(clock.due_at), late_seconds=late, told_with=told_with)


def common(clock: Clock) -> dict[str, Any]:
    """What every event about a clock carries."""
    return {
        "branch": clock.branch,
        "clock_id": clock.clock_id,
        "timed_subject": clock.subject,
        "pack": clock.target.pack,
        "policy": clock.target.policy,
        "target": clock.target.name,
        "clause": clock.target.clause_text,
        "cycle": clock.cycle,
        "responsible": facts.Responsible(owner=clock.responsible.owner, department=clock.responsible.department),
    }
