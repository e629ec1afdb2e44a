"""Instants as whole microseconds since 1970 in UTC, so that arithmetic is exact and fast."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NewType
from zoneinfo import ZoneInfo

Micros = NewType("Micros", int)
"""An instant, or a length of time, in microseconds."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """The instant of an aware time."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The aware time, in UTC, of an instant."""
    return _EPOCH + timedelta(microseconds=at)


def local_date(at: int, zone: ZoneInfo) -> date:
    """The day it is in a zone at an instant."""
    return moment(at).astimezone(zone).date()


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day in a zone, also where the zone has no midnight on that day."""
    return micros(datetime.combine(day, time.min, zone))
