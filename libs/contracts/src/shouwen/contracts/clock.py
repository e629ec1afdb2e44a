"""Facts about a clock: one running target of one subject. Stream ``clock.v1``, all emitted by sla."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shouwen.contracts.event import Event, Identifier, Instant, Text

ClockState = Literal["scheduled", "running", "paused", "completed", "cancelled"]


class Responsible(BaseModel):
    """Who answers for a clock at the moment of the event; empty parts are not known to sla.

    While the owner is away and stood in for, the owner answers first and the delegate second (003 §10(二)3).
    """

    model_config = ConfigDict(frozen=True)

    owner: Identifier | None = None
    department: Identifier | None = None
    delegate: Annotated[
        Identifier | None, Field(description="Who stood in for the owner when it happened: answers second")
    ] = None


class ClockFact(Event):
    """What every fact about a clock carries."""

    stream: ClassVar[str] = "clock.v1"
    aggregate: ClassVar[str] = "clock"

    clock_id: UUID
    timed_subject: Text = Field(description="What the clock times: case/{id}, or another system's subject")
    pack: Identifier
    policy: Identifier
    target: Identifier
    clause: Text = Field(description="Where the limit is written, as 004 三(六)")
    cycle: int = Field(1, ge=1, description="A reopened case starts the next cycle")
    responsible: Responsible = Responsible()

    @property
    def key(self) -> str:
        return str(self.clock_id)


class ClockStarted(ClockFact):
    """A promise began to run. Emitted by sla. Heard by intake (timeline)."""

    event_type: ClassVar[str] = "clock.started.v1"

    started_at: Instant
    due_at: Instant
    provisional: bool = Field(False, description="The deadline rests on holidays that are not announced yet")


class ClockPaused(ClockFact):
    """A clock stands still for a reason. Emitted by sla. Heard by intake (timeline)."""

    event_type: ClassVar[str] = "clock.paused.v1"

    paused_at: Instant
    reason: Identifier
    until: Annotated[Instant | None, Field(description="When it resumes by itself, unless it is resumed before")] = None


class ClockResumed(ClockFact):
    """A paused clock runs again. Emitted by sla. Heard by intake (timeline)."""

    event_type: ClassVar[str] = "clock.resumed.v1"

    resumed_at: Instant
    due_at: Instant


class ClockAtRisk(ClockFact):
    """A warning before the limit. Emitted by sla. Heard by notify (tells the owner), intake (timeline)."""

    event_type: ClassVar[str] = "clock.at_risk.v1"

    due_at: Instant
    fired_for: Instant = Field(description="The instant this warning was set for")
    late_seconds: float = Field(0, ge=0, description="How long after that instant it fired")


class ClockBreached(ClockFact):
    """The limit passed unmet. Emitted by sla. Heard by notify (tells owner and escalation role), intake (timeline)."""

    event_type: ClassVar[str] = "clock.breached.v1"

    due_at: Instant
    late_seconds: float = Field(0, ge=0, description="How long after due_at this was noticed")
    told_with: Annotated[
        UUID | None,
        Field(description="The clock whose breach tells people of this one too: the matter was registered late"),
    ] = None


class EscalationRaised(ClockFact):
    """A breach stayed open and went up a level. Emitted by sla. Heard by notify (tells the role), intake (timeline)."""

    event_type: ClassVar[str] = "escalation.raised.v1"

    due_at: Instant
    level: int = Field(ge=1)
    role: Identifier
    fired_for: Instant
    late_seconds: float = Field(0, ge=0)
    also: tuple[UUID, ...] = Field((), description="Other clocks of the subject that this one tells the role of too")


class ClockMet(ClockFact):
    """The target was reached; ``breached`` tells a late finish. Emitted by sla. Heard by intake (timeline)."""

    event_type: ClassVar[str] = "clock.met.v1"

    completed_at: Instant
    due_at: Instant
    breached: bool


class ClockCancelled(ClockFact):
    """The clock no longer applies. Emitted by sla. Heard by intake (timeline)."""

    event_type: ClassVar[str] = "clock.cancelled.v1"

    cancelled_at: Instant
    reason: Identifier


class ClockExtended(ClockFact):
    """More time was approved before the deadline, and the requester was told so.

    Emitted by sla. Heard by intake (timeline; confirms the new time to the requester).
    """

    event_type: ClassVar[str] = "clock.extended.v1"

    extended_at: Instant
    previous_due_at: Instant
    due_at: Instant
    reason: Identifier
    approved_by: Identifier
    requester_informed_at: Instant


class ClockRecalculated(ClockFact):
    """The deadline moved, because a calendar or a fact changed.

    Emitted by sla. Heard by intake (timeline), notify (tells the owner).
    """

    event_type: ClassVar[str] = "clock.recalculated.v1"

    recalculated_at: Instant
    previous_due_at: Instant
    due_at: Instant
    provisional: bool = False


ClockEvent = (
    ClockStarted
    | ClockPaused
    | ClockResumed
    | ClockAtRisk
    | ClockBreached
    | EscalationRaised
    | ClockMet
    | ClockCancelled
    | ClockRecalculated
    | ClockExtended
)
