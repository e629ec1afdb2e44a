"""Working time: which instants count, how many of them lie between two, and when a number of them is used up.

A schedule says on which hours a branch works. ``Timetable`` compiles it to prefix sums, so that arming a clock costs a
few binary searches even over years.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from shouwen.runtime.errors import Invalid
from shouwen.sla.domain.holidays_cn import PublicHolidays
from shouwen.sla.domain.instant import MINUTE, day_start, local_date, micros, moment

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HolidaySource = Literal["cn", "cn_without_makeup", "none"]
"""Public holidays off and make-up workdays worked; the same without make-up workdays; neither."""
_DAY_MINUTES = 24 * 60
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LONGEST_SEARCH_YEARS = 100
"""No limit reaches this far; a schedule that would is refused instead of searched for ever."""


class NoWorkingTime(Invalid):
    """The schedule has no working time to count."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Working hours of one day, in minutes after local midnight; a day may end at 24:00 (1440)."""

    opens: int
    closes: int

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Read ``09:00-12:00``.

        Raises:
            Invalid: the text is not two times, or the end is not after the beginning.
        """
        opens, dash, closes = text.partition("-")
        interval = cls(_minutes(opens, text), _minutes(closes, text)) if dash else None
        if interval is None or interval.opens >= interval.closes:
            raise Invalid(f"{text!r} is not a time span", field="interval", remedy="Write it as 09:00-12:00")
        return interval

    def __str__(self) -> str:
        return f"{self.opens // 60:02}:{self.opens % 60:02}-{self.closes // 60:02}:{self.closes % 60:02}"


def _minutes(text: str, whole: str) -> int:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(minutes) < 60):
        raise Invalid(f"{whole!r} is not a time span", field="interval", remedy="Write it as 09:00-12:00")
    total = int(hours) * 60 + int(minutes)
    if total > _DAY_MINUTES:
        raise Invalid(f"{whole!r} ends after 24:00", field="interval", remedy="Split it over two days")
    return total


DayKind = Literal["workday", "weekend", "holiday", "makeup_workday", "exception"]


@dataclass(frozen=True, slots=True)
class Day:
    """How one date is worked, and why."""

    kind: DayKind
    intervals: tuple[Interval, ...]
    name: str | None = None


@dataclass(frozen=True)
class Schedule:
    """The working hours of a branch.

    Raises:
        NoWorkingTime: no weekday has working hours.
        Invalid: the intervals of a day overlap.
    """

    zone: ZoneInfo
    week: Mapping[Weekday, tuple[Interval, ...]]
    holidays: HolidaySource = "cn"
    exceptions: Mapping[date, tuple[Interval, ...]] = field(default_factory=dict[date, tuple[Interval, ...]])
    name: str = "default"

    def __post_init__(self) -> None:
        if not any(self.week.values()):
            raise NoWorkingTime(field="week", remedy='Give at least one day hours, as mon: ["09:00-12:00"]')
        for label, intervals in [*self.week.items(), *((str(day), i) for day, i in self.exceptions.items())]:
            for earlier, later in pairwise(intervals):
                if later.opens < earlier.closes:
                    raise Invalid(
                        f"the hours of {label} overlap or are not in order",
                        field=label,
                        remedy="List the spans of a day from morning to evening",
                    )

    @property
    def workday_hours(self) -> tuple[Interval, ...]:
        """The hours of an ordinary workday, which a make-up workday has too."""
        return next(intervals for day in WEEKDAYS if (intervals := self.week.get(day, ())))

    def day(self, day: date, public: PublicHolidays) -> Day:
        """How a date is worked: local exceptions first, then the public calendar, then the week."""
        if day in self.exceptions:
            return Day("exception", self.exceptions[day])
        weekly = self.week.get(WEEKDAYS[day.weekday()], ())
        known = None if self.holidays == "none" else public.day(day)
        if known is None or (known.kind == "makeup_workday" and self.holidays == "cn_without_makeup"):
            return Day("workday" if weekly else "weekend", weekly)
        if known.kind == "holiday":
            return Day("holiday", (), known.name)
        return Day("makeup_workday", self.workday_hours, known.name)


_OFFICE_HOURS = (Interval(9 * 60, 12 * 60), Interval(13 * 60, 18 * 60))


def office_hours(zone: str = "Asia/Shanghai") -> Schedule:
    """Monday to Friday and make-up workdays, 09:00–12:00 and 13:00–18:00, statutory holidays off."""
    return Schedule(ZoneInfo(zone), dict.fromkeys(WEEKDAYS[:5], _OFFICE_HOURS), name="office hours")


SliceKind = Literal["worked", "makeup_day", "lunch", "off_hours", "weekend", "holiday", "closed"]


@dataclass(frozen=True, slots=True)
class Slice:
    """A span in which time either counts or does not, and why."""

    kind: SliceKind
    starts: int
    ends: int
    counts: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class _Year:
    """One local year of a schedule, compiled."""

    starts: int
    ends: int
    opens: Sequence[int]
    closes: Sequence[int]
    until: Sequence[int]
    """Working time of the year before the i-th interval; the last one is the year's whole working time."""
    days: Sequence[int]
    """Ordinals of the working days."""
    first_interval: Sequence[int]
    """Index of the first interval of the i-th working day."""
    offset: int | None
    """The zone's offset, if it is the same all year."""

    @property
    def total(self) -> int:
        return self.until[-1]

    def before(self, at: int) -> int:
        """Working time from the beginning of the year to an instant in it."""
        index = bisect_right(self.opens, at) - 1
        if index < 0:
            return 0
        return self.until[index] + min(at, self.closes[index]) - self.opens[index]

    def at(self, amount: int) -> int:
        """The first instant by which this much of the year's working time has passed; ``amount`` is above 0."""
        index = bisect_left(self.until, amount) - 1
        return self.closes[index] - (self.until[index + 1] - amount)


class Timetable:
    """A schedule compiled for counting. All instants are microseconds since 1970 in UTC.

    A year is compiled when it is first asked for, and kept; nothing else changes.
    """

    def __init__(self, schedule: Schedule, public: PublicHolidays | None = None) -> None:
        self.schedule = schedule
        self.zone = schedule.zone
        self.public = public or PublicHolidays()
        self._years: dict[int, _Year] = {}

    def counted(self, starts: int, ends: int) -> int:
        """Working time between two instants."""
        if ends <= starts:
            return 0
        first, first_year = self._year_of(starts)
        last, last_year = self._year_of(ends)
        if first == last:
            return first_year.before(ends) - first_year.before(starts)
        between = sum(self._year(year).total for year in range(first + 1, last))
        return first_year.total - first_year.before(starts) + between + last_year.before(ends)

    def reached(self, starts: int, amount: int) -> int:
        """The first instant by which an amount of working time has passed since ``starts``.

        Raises:
            NoWorkingTime: the schedule does not hold that much within a lifetime.
        """
        if amount <= 0:
            return starts
        number, year = self._year_of(starts)
        left = amount + year.before(starts)
        while left > year.total:
            left -= year.total
            number = self._next(number, starts)
            year = self._year(number)
        return year.at(left)

    def working_days(self, after: date, days: int) -> int:
        """Working time of the next ``days`` working days after a date.

        Raises:
            NoWorkingTime: the schedule does not hold that many within a lifetime.
        """
        number, worked = after.year, 0
        first = bisect_right(self._year(number).days, after.toordinal())
        while first + days > len((year := self._year(number)).days):
            worked += year.total - year.until[year.first_interval[first]]
            days -= len(year.days) - first
            number = self._next(number, day_start(after, self.zone))
            first = 0
        return worked + year.until[year.first_interval[first + days]] - year.until[year.first_interval[first]]

    def date_of(self, at: int) -> date:
        """The day it is at an instant, in the schedule's zone."""
        _, year = self._year_of(at)
        if year.offset is None:
            return local_date(at, self.zone)
        return date.fromordinal((at + year.offset) // (_DAY_MINUTES * MINUTE) + _EPOCH_ORDINAL)

    def is_working_day(self, day: date) -> bool:
        """Whether anything is worked on a date."""
        return bool(self.schedule.day(day, self.public).intervals)

    def is_provisional(self, starts: int, ends: int) -> bool:
        """Whether the working time between two instants rests on holidays that are not announced yet."""
        if self.schedule.holidays == "none":
            return False
        years = range(self._year_of(starts)[0], self._year_of(ends)[0] + 1)
        return not all(self.public.is_announced(year) for year in years)

    def midnights(self, year: int) -> list[int]:
        """The first instants of the days of a year, and of the day after it."""
        first = date(year, 1, 1)
        days = (date(year + 1, 1, 1) - first).days
        return [day_start(first + timedelta(days=number), self.zone) for number in range(days + 1)]

    def opens(self, year: int) -> Sequence[int]:
        """The instants of a year at which working time begins."""
        return self._year(year).opens

    def closes(self, year: int) -> Sequence[int]:
        """The instants of a year at which working time ends."""
        return self._year(year).closes

    def slices(self, starts: int, ends: int) -> Iterator[Slice]:
        """What each moment between two instants is; adjacent, in order, without gaps."""
        day = local_date(starts, self.zone)
        while (opening := day_start(day, self.zone)) < ends:
            following = day + timedelta(days=1)
            for part in self._day_slices(day, opening, day_start(following, self.zone)):
                begins, finishes = max(part.starts, starts), min(part.ends, ends)
                if begins < finishes:
                    yield Slice(part.kind, begins, finishes, part.counts, part.name)
            day = following

    def _day_slices(self, day: date, opening: int, closing: int) -> Iterator[Slice]:
        plan = self.schedule.day(day, self.public)
        spans = _instants(day, plan.intervals, self.zone)
        worked: SliceKind = "makeup_day" if plan.kind == "makeup_workday" else "worked"
        idle: SliceKind = _IDLE[plan.kind] if not spans else "off_hours"
        at = opening
        for opens, closes in spans:
            if at < opens:
                yield Slice("lunch" if at > opening else idle, at, opens, counts=False)
            yield Slice(worked, opens, closes, counts=True, name=plan.name)
            at = closes
        if at < closing:
            yield Slice(idle, at, closing, counts=False, name=plan.name if not spans else None)

    def _year_of(self, at: int) -> tuple[int, _Year]:
        # The UTC year is the local one but for the hours around New Year.
        number = moment(at).year
        year = self._year(number)
        if at < year.starts:
            number -= 1
        elif at >= year.ends:
            number += 1
        else:
            return number, year
        return number, self._year(number)

    def _next(self, number: int, starts: int) -> int:
        if number - moment(starts).year > _LONGEST_SEARCH_YEARS:
            raise NoWorkingTime(field="schedule", remedy="Give the schedule working hours, or shorten the limit")
        return number + 1

    def _year(self, number: int) -> _Year:
        year = self._years.get(number)
        if year is None:
            year = self._years[number] = self._compiled(number)
        return year

    def _compiled(self, number: int) -> _Year:
        first, following = date(number, 1, 1), date(number + 1, 1, 1)
        opens: list[int] = []
        closes: list[int] = []
        days: list[int] = []
        first_interval: list[int] = []
        for ordinal in range(first.toordinal(), following.toordinal()):
            day = date.fromordinal(ordinal)
            spans = _instants(day, self.schedule.day(day, self.public).intervals, self.zone)
            if spans:
                days.append(ordinal)
                first_interval.append(len(opens))
                opens.extend(starts for starts, _ in spans)
                closes.extend(ends for _, ends in spans)
        lengths = (ends - starts for starts, ends in zip(opens, closes, strict=True))
        return _Year(
            starts=day_start(first, self.zone),
            ends=day_start(following, self.zone),
            opens=opens,
            closes=closes,
            until=list(accumulate(lengths, initial=0)),
            days=days,
            first_interval=[*first_interval, len(opens)],
            offset=_constant_offset(first, self.zone),
        )


_IDLE: Mapping[DayKind, SliceKind] = {
    "workday": "off_hours",
    "weekend": "weekend",
    "holiday": "holiday",
    "makeup_workday": "off_hours",
    "exception": "closed",
}


def _instants(day: date, intervals: Sequence[Interval], zone: ZoneInfo) -> list[tuple[int, int]]:
    """The instants at which the wall clock of a day shows these hours; an hour shown twice counts twice."""
    if not intervals:
        return []
    opening, closing = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    if closing - opening == _DAY_MINUTES * MINUTE:
        return [(opening + i.opens * MINUTE, opening + i.closes * MINUTE) for i in intervals]
    spans: list[tuple[int, int]] = []
    for starts, ends in _constant_offsets(opening, closing, zone):
        wall_midnight = micros(datetime.combine(day, datetime.min.time(), moment(starts).tzinfo)) - _offset(
            starts, zone
        )
        for interval in intervals:
            opens = max(starts, wall_midnight + interval.opens * MINUTE)
            closes = min(ends, wall_midnight + interval.closes * MINUTE)
            if opens < closes:
                spans.append((opens, closes))
    return spans


def _constant_offset(new_year: date, zone: ZoneInfo) -> int | None:
    offsets = {_offset(day_start(new_year + timedelta(days=day), zone), zone) for day in range(0, 368, 7)}
    return offsets.pop() if len(offsets) == 1 else None


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = moment(at).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


def _constant_offsets(starts: int, ends: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """The parts of a day between changes of the zone's offset; a day has at most one change."""
    before, after = _offset(starts, zone), _offset(ends - 1, zone)
    if before == after:
        return [(starts, ends)]
    low, high = starts, ends
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return [(starts, high), (high, ends)]
