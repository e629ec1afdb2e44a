"""How a limit is counted, unit by unit.

``calendar_hours`` count elapsed time; ``working_hours`` and ``working_minutes`` only time inside the schedule.
``calendar_days`` and ``working_days`` are counted as the Civil Code does (arts. 201, 203): the day of the start is not
counted, and the period ends with the close of business of the last working day, or at 24:00 of the last calendar day.

Every unit comes down to three figures: a measure (what counts), the instant it counts from, and the amount. A pause
takes out exactly the time that would have counted during it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol, get_args

from shouwen.sla.domain.calendar import Timetable
from shouwen.sla.domain.instant import HOUR, MINUTE, day_start

Unit = Literal["calendar_hours", "working_hours", "calendar_days", "working_days", "working_minutes"]
UNITS: tuple[Unit, ...] = get_args(Unit)


class Measure(Protocol):
    """What counts, and what does not."""

    def counted(self, starts: int, ends: int) -> int:
        """Counted time between two instants."""
        ...

    def reached(self, starts: int, amount: int) -> int:
        """The first instant by which that much has been counted."""
        ...


class Elapsed:
    """All time counts."""

    def counted(self, starts: int, ends: int) -> int:
        """Elapsed time between two instants."""
        return max(0, ends - starts)

    def reached(self, starts: int, amount: int) -> int:
        """The instant so much later."""
        return starts + max(0, amount)


ELAPSED = Elapsed()


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which a clock stands still; ``ends`` is None while it lasts."""

    starts: int
    ends: int | None
    reason: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """A limit, ready to be counted from one start."""

    measure: Measure
    counts_from: int
    amount: int

    def used_up(self, amount: int, pauses: Iterable[Pause]) -> int | None:
        """The first instant by which ``amount`` has been counted outside of the pauses; None while a pause lasts."""
        at, left = self.counts_from, amount
        for pause in pauses:
            if pause.ends is not None and pause.ends <= at:
                continue
            until = max(pause.starts, at)
            counted = self.measure.counted(at, until)
            if counted >= left:
                break
            if pause.ends is None:
                return None
            left -= counted
            at = pause.ends
        return self.measure.reached(at, left)

    def counted(self, until: int, pauses: Iterable[Pause]) -> int:
        """What has been counted by an instant, outside of the pauses."""
        at, counted = self.counts_from, 0
        for pause in pauses:
            if pause.starts >= until:
                break
            counted += self.measure.counted(at, max(pause.starts, at))
            if pause.ends is None:
                return counted
            at = max(at, pause.ends)
        return counted + self.measure.counted(at, until)


def allow(limit: int, unit: Unit, starts: int, timetable: Timetable, *, rolls: bool = False) -> Allowance:
    """The allowance of ``limit`` units from an instant.

    Args:
        limit: how many units.
        unit: how they are counted.
        starts: the instant the clock starts at.
        timetable: the working time that working units count.
        rolls: whether a period of calendar days whose last day is not worked ends with the next working day instead.
    """
    match unit:
        case "calendar_hours":
            return Allowance(ELAPSED, starts, limit * HOUR)
        case "working_hours":
            return Allowance(timetable, starts, limit * HOUR)
        case "working_minutes":
            return Allowance(timetable, starts, limit * MINUTE)
        case "calendar_days":
            first = timetable.date_of(starts)
            last = first + timedelta(days=limit)
            while rolls and not timetable.is_working_day(last):
                last += timedelta(days=1)
            counts_from = _next_midnight(starts, timetable)
            return Allowance(ELAPSED, counts_from, day_start(last + timedelta(days=1), timetable.zone) - counts_from)
        case "working_days":
            worked = timetable.working_days(timetable.date_of(starts), limit)
            return Allowance(timetable, _next_midnight(starts, timetable), worked)


def _next_midnight(at: int, timetable: Timetable) -> int:
    return day_start(timetable.date_of(at) + timedelta(days=1), timetable.zone)


def closed(pauses: Sequence[Pause]) -> tuple[Pause, ...]:
    """The same pauses, the open one ended as soon as it began: for the deadline a clock would have without it."""
    return tuple(
        Pause(pause.starts, pause.starts, pause.reason, pause.by) if pause.ends is None else pause for pause in pauses
    )
