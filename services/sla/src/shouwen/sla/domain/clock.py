"""A clock: one running promise of one subject, with the instants at which it warns, breaches and escalates."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from shouwen.contracts.clock import ClockState
from shouwen.sla.domain.allowance import Allowance, Pause
from shouwen.sla.domain.instant import micros
from shouwen.sla.domain.pack import Target

StepKind = Literal["at_risk", "breached", "escalated"]


@dataclass(frozen=True, slots=True)
class Step:
    """One firing of a clock. ``at`` is None while the clock is paused before it could be reached."""

    kind: StepKind
    at: int | None
    level: int | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Extension:
    """More time that was approved: units of the target, and when the requester was told so."""

    at: int
    units: int
    reason: str
    by: str | None = None
    informed_at: str | None = None


@dataclass(frozen=True, slots=True)
class Responsible:
    """Who answers for a subject at present, as far as the facts tell."""

    owner: str | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """What the facts say about one target of one subject in one cycle. All instants in microseconds.

    ``due_at`` is the deadline; while the clock is paused it is the one it would have if it resumed as soon as it
    stopped (``deadline_stands`` is then false, unless it was breached before, or resumes by itself). Where a pause ends
    by itself, ``state`` is the one it has afterwards; ``state_at`` tells it for an instant.
    """

    clock_id: UUID
    branch: str
    subject: str
    target: Target
    cycle: int
    state: ClockState
    started_at: int
    due_at: int
    deadline_stands: bool
    allowance: Allowance
    pauses: tuple[Pause, ...]
    steps: tuple[Step, ...]
    provisional: bool
    responsible: Responsible
    ended_at: int | None = None
    reason: str | None = None
    traceparent: str | None = None
    extensions: tuple[Extension, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it can still fire."""
        return self.state in {"scheduled", "running", "paused"}

    def is_breached(self, now: datetime) -> bool:
        """Whether its deadline passed before it ended, or before ``now``."""
        if not self.deadline_stands:
            return False
        return self.due_at < self.ended_at if self.ended_at is not None else self.due_at <= micros(now)

    def state_at(self, now: datetime) -> ClockState:
        """The state at an instant, also inside a pause that ends by itself."""
        ends = self.pauses[-1].ends if self.state == "running" and self.pauses else None
        return "paused" if ends is not None and ends > micros(now) else self.state

    def wakes_at(self, now: datetime) -> int | None:
        """When the clock changes without a fact and without firing: a pause ends by itself, or a month begins."""
        if not self.is_open:
            return None
        if self.state_at(now) == "paused":
            return self.pauses[-1].ends
        return self.started_at if self.target.monthly is not None and self.started_at > micros(now) else None

    @property
    def breach_step(self) -> int:
        """Index of the breach among the steps."""
        return next(index for index, step in enumerate(self.steps) if step.kind == "breached")


def clock_id(branch: str, subject: str, target: Target, cycle: int) -> UUID:
    """The same for the same promise, whoever computes it and however often."""
    return uuid5(NAMESPACE_URL, f"shouwen:{branch}:{subject}:{target.pack}:{target.policy}:{target.name}:{cycle}")


def firing_id(clock: UUID, cycle: int, step: int, generation: int) -> UUID:
    """The event id of one firing: a repeat has the same id. ``fire_due`` in timers.sql computes the same."""
    return UUID(bytes=sha256(f"{clock}:{cycle}:{step}:{generation}".encode()).digest()[:16])


def first_step(steps: tuple[Step, ...], now: int) -> int:
    """Where a clock that is armed now begins to fire.

    Of the steps that are past already, only the last warning fires, and no warning at all once the breach is past: a
    matter that is registered late gives one alert, not five. The breach and what follows it always fire.
    """
    breach = next(index for index, step in enumerate(steps) if step.kind == "breached")
    past = [index for index, step in enumerate(steps) if step.at is not None and step.at <= now]
    return min(past[-1], breach) if past else 0
