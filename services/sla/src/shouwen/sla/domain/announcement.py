"""Reading the announcement of a year's public holidays and make-up workdays."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from shouwen.sla.domain.holidays_cn import AnnouncedYear, PublicDay
from shouwen.sla.domain.yaml_text import BadFile, Mistake, YamlText

_NEIGHBOURING_DAYS = timedelta(days=7)
"""An announcement may swap a workday of the week before its year, or after it."""
_LONGEST_HOLIDAY = timedelta(days=31)
Name = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class HolidayPart(_Part):
    """Days off, from the first to the last."""

    name: Name
    from_: date = Field(alias="from")
    to: date


def _short_workday(value: object) -> object:
    return {"date": value} if isinstance(value, str | date) else value


class WorkdayPart(_Part):
    """A weekend day that is worked for a holiday. Written in short as the date alone."""

    date: date
    name: Name = "补班"


class AnnouncementDocument(_Part):
    """The announcement of a year, as its file holds it."""

    year: int = Field(ge=2000, le=2999)
    source: str | None = Field(None, max_length=200, description="Number or address of the announcement")
    holidays: tuple[HolidayPart, ...] = Field(min_length=1, max_length=40)
    workdays: tuple[Annotated[WorkdayPart, BeforeValidator(_short_workday)], ...] = Field((), max_length=40)

    def kept(self) -> dict[str, Any]:
        """As JSON, as the database keeps it and the API shows it."""
        return self.model_dump(mode="json", by_alias=True)

    def announced(self) -> AnnouncedYear:
        """The days of the year that are treated otherwise than their weekdays."""
        days = {day: PublicDay("holiday", each.name) for each in self.holidays for day in _days(each)}
        days |= {each.date: PublicDay("makeup_workday", each.name) for each in self.workdays}
        return AnnouncedYear(self.year, days)


def read_announcement(text: str, *, file: str = "announcement") -> AnnouncementDocument:
    """Read and check the announcement of a year (YAML or JSON).

    Raises:
        BadFile: with every mistake found.
    """
    source = YamlText(text, file)
    try:
        document = AnnouncementDocument.model_validate(source.content)
    except ValidationError as error:
        found = source.validation_mistakes(error, {"holidays": _FORM, "workdays": _FORM}, "Correct it.")
        raise BadFile([*source.mistakes, *found]) from None
    if mistakes := [*source.mistakes, *_mistakes(document, source)]:
        raise BadFile(mistakes)
    return document


_FORM = "Write holidays as {name: 元旦, from: 2027-01-01, to: 2027-01-03}, workdays as dates."


def _mistakes(document: AnnouncementDocument, source: YamlText) -> Iterator[Mistake]:
    first = date(document.year, 1, 1) - _NEIGHBOURING_DAYS
    last = date(document.year, 12, 31) + _NEIGHBOURING_DAYS
    seen: set[date] = set()
    for index, holiday in enumerate(document.holidays):
        at = ("holidays", index)
        if holiday.to < holiday.from_:
            yield source.mistake((*at, "to"), "is before from", "Give the first day, then the last.")
            continue
        if holiday.to - holiday.from_ > _LONGEST_HOLIDAY:
            yield source.mistake((*at, "to"), "is more than a month after from", "Correct the days.")
            continue
        if not (first <= holiday.from_ and holiday.to <= last):
            yield source.mistake(at, f"is not in {document.year}", "Correct the year or the days.")
        for day in _days(holiday):
            if day in seen:
                yield source.mistake(at, f"{day} stands twice", "Name each day once.")
            seen.add(day)
    for index, workday in enumerate(document.workdays):
        at = ("workdays", index)
        if not first <= workday.date <= last:
            yield source.mistake(at, f"is not in {document.year}", "Correct the year or the day.")
        if workday.date in seen:
            yield source.mistake(at, f"{workday.date} stands twice", "A day is either off or a make-up workday.")
        seen.add(workday.date)
        if workday.date.weekday() < _SATURDAY:
            yield source.mistake(
                at, f"{workday.date} is no weekend", "Name the Saturdays and Sundays that are worked, nothing else."
            )


_SATURDAY = 5


def _days(holiday: HolidayPart) -> Iterator[date]:
    day = holiday.from_
    while day <= holiday.to:
        yield day
        day += timedelta(days=1)
