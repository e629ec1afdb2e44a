"""Chinese public holidays and the workdays swapped for them, from one place.

The State Council announces a year in the November before it. Announced years come from ``chinesecalendar``; a year it
does not know yet is provisional and comes from ``holidays``, which knows the festivals but no swapped workdays. An
announcement that was loaded since (``AnnouncedYear``) stands above both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Literal

import chinese_calendar
import holidays
from chinese_calendar import constants

PublicDayKind = Literal["holiday", "makeup_workday"]


@dataclass(frozen=True, slots=True)
class PublicDay:
    """A day that the public calendar treats otherwise than its weekday."""

    kind: PublicDayKind
    name: str


@dataclass(frozen=True)
class AnnouncedYear:
    """The announcement of one year; it may name days of the last week before it and the first week after."""

    year: int
    days: Mapping[date, PublicDay]


_LIBRARY_YEARS = range(
    min(day.year for day in constants.holidays),
    max(day.year for day in constants.holidays) + 1,
)


@dataclass(frozen=True)
class PublicHolidays:
    """One revision of the public calendar: what the libraries know, and what was announced since."""

    announced: tuple[AnnouncedYear, ...] = ()
    _loaded: dict[date, PublicDay] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for year in self.announced:
            self._loaded.update(year.days)

    def day(self, day: date) -> PublicDay | None:
        """How the public calendar treats a day; None means as any such weekday."""
        if day in self._loaded:
            return self._loaded[day]
        if any(year.year == day.year for year in self.announced):
            return None
        return _library_year(day.year).get(day)

    @property
    def last_announced_year(self) -> int:
        """The last year whose days are known, not guessed."""
        return max([_LIBRARY_YEARS[-1], *(loaded.year for loaded in self.announced)])

    def is_announced(self, year: int) -> bool:
        """Whether the days of a year are known, not guessed."""
        return year <= _LIBRARY_YEARS[-1] or any(loaded.year == year for loaded in self.announced)


@cache
def _library_year(year: int) -> Mapping[date, PublicDay]:
    if year in _LIBRARY_YEARS:
        off = {
            day: PublicDay("holiday", _chinese_name(name))
            for day, name in constants.holidays.items()
            if day.year == year
        }
        work = {
            day: PublicDay("makeup_workday", _chinese_name(name))
            for day, name in constants.workdays.items()
            if day.year == year
        }
        return off | work
    return {
        day: PublicDay("holiday", name)
        for day, name in holidays.country_holidays("CN", years=year, language="zh_CN").items()
    }


@cache
def _chinese_name(english: str) -> str:
    # The library adds ``chinese`` to its enumeration's members in a way that type checkers cannot see.
    named = next((holiday for holiday in chinese_calendar.Holiday if holiday.value == english), None)
    return str(getattr(named, "chinese", english))
