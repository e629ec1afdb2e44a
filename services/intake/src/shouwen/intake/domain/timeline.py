"""What of a fact heard from another service goes into a case's timeline: a few plain values, never text of people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.client import ClientScreened
from shouwen.contracts.clock import ClockBreached, ClockFact
from shouwen.contracts.event import CloudEvent, Event
from shouwen.contracts.message import MessageFact

_OWN_KEYS = {"branch", "case_id", "number", "timed_subject", "about", "cause", "responsible", "client", "sealed"}
"""Fields that the timeline need not repeat, or must not hold."""

CASE_SUBJECT = "case/"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a case's timeline."""

    event_id: str
    source: str
    type: str
    case_id: UUID
    branch: str
    at: datetime
    traceparent: str | None
    values: Mapping[str, object]


def case_of(event: CloudEvent[Event]) -> UUID | None:
    """The case that an event of another service is about, if it is about one."""
    match event.data:
        case ClockFact(timed_subject=subject) | MessageFact(about=subject):
            return _case_id(subject)
        case ClientScreened(case_id=case_id):
            return case_id
        case _:
            return None


def entry_of(event: CloudEvent[Event]) -> Entry | None:
    """The timeline entry of a heard event; None when it is not about a case."""
    case_id = case_of(event)
    if case_id is None:
        return None
    return Entry(
        event_id=event.id,
        source=event.source,
        type=event.type,
        case_id=case_id,
        branch=event.data.branch,
        at=event.time,
        traceparent=event.traceparent,
        values=plain_values(event.data),
    )


def plain_values(fact: Event) -> dict[str, object]:
    """The values of a fact that its timeline entry shows."""
    values = fact.model_dump(mode="json", exclude=_OWN_KEYS)
    if isinstance(fact, ClockBreached):
        # Who answered when the limit passed is the ground of the liability view.
        values |= fact.responsible.model_dump(mode="json")
    return {name: value for name, value in values.items() if value is not None}


def _case_id(subject: str) -> UUID | None:
    if not subject.startswith(CASE_SUBJECT):
        return None
    try:
        return UUID(subject.removeprefix(CASE_SUBJECT))
    except ValueError:
        # A publisher of group.v1 may name its own matters case/…; they are not in this register.
        return None
