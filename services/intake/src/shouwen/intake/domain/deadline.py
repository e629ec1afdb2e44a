"""When a case is due, as its clocks tell it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.clock import (
    ClockAtRisk,
    ClockBreached,
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    EscalationRaised,
)
from shouwen.contracts.event import CloudEvent, Event
from shouwen.intake.domain.timeline import case_of


@dataclass(frozen=True, slots=True)
class Deadline:
    """What a clock told last: until when its target is to be reached, if it runs (``is_open``)."""

    clock_id: UUID
    case_id: UUID
    branch: str
    due_at: datetime | None
    """None where the fact does not say; the one told before stands."""
    is_open: bool
    told_at: datetime


def deadlines_of(events: Iterable[CloudEvent[Event]]) -> list[Deadline]:
    """The last word of each clock among these events, which are in their order per clock.

    A clock that is paused has no deadline until it runs again. A warning, a breach and an escalation change none.
    """
    last: dict[UUID, Deadline] = {}
    for event in events:
        fact, case_id = event.data, case_of(event)
        if not isinstance(fact, ClockFact) or case_id is None:
            continue
        if isinstance(fact, (ClockAtRisk, ClockBreached, EscalationRaised)):
            continue
        before = last.get(fact.clock_id)
        if before is not None and before.told_at > event.time:
            continue
        due_at: datetime | None = getattr(fact, "due_at", None)
        last[fact.clock_id] = Deadline(
            clock_id=fact.clock_id,
            case_id=case_id,
            branch=fact.branch,
            due_at=due_at if due_at is not None or before is None else before.due_at,
            is_open=not isinstance(fact, (ClockPaused, ClockMet, ClockCancelled)) and due_at is not None,
            told_at=event.time,
        )
    return list(last.values())
