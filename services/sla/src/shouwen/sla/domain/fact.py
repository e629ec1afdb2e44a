"""What sla has heard about a subject: facts of any stream, kept as they came, in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shouwen.sla.domain.instant import day_start, micros

INSTRUCTED = "clock.instructed"
"""Type of the facts that sla itself records when a person pauses, resumes, stops or cancels clocks."""

EVENT_TIME = "time"
"""Name, in a pack, of the CloudEvents time of an event, for events without a time of their own."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One event about a subject. ``id`` is unique among the facts of its subject."""

    id: str
    type: str
    time: datetime
    data: Mapping[str, Any]
    traceparent: str | None = None


def instant_of(fact: Fact, name: str | None, zone: ZoneInfo) -> int | None:
    """The instant that a field of a fact tells; a day tells its beginning in the branch's zone. None when empty."""
    if name is None or name == EVENT_TIME:
        return micros(fact.time)
    value = fact.data.get(name)
    if not isinstance(value, str) or not value:
        return None
    if len(value) == len("2026-11-20"):
        return day_start(date.fromisoformat(value), zone)
    return micros(datetime.fromisoformat(value))
