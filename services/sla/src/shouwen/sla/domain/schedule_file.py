"""Reading a schedule's YAML: the working hours of a branch, in its own zone, with its own exceptions."""

from collections import Counter
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from shouwen.runtime.errors import Invalid
from shouwen.sla.domain.calendar import HolidaySource, Interval, Schedule, Weekday
from shouwen.sla.domain.yaml_text import BadFile, YamlText


def _interval(value: object) -> Interval:
    try:
        return Interval.parse(str(value))
    except Invalid as error:
        raise ValueError(f"{error.detail}; write it as 09:00-12:00") from None


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; give an IANA name, as Asia/Shanghai") from None
    return name


Hours = tuple[Annotated[Interval, BeforeValidator(_interval)], ...]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class ExceptionPart(_Part):
    """A date that is worked otherwise than its weekday and the public calendar say; no hours: closed."""

    date: date
    intervals: Hours


class ScheduleDocument(_Part):
    """A schedule as its file holds it."""

    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    week: dict[Weekday, Hours]
    holidays: HolidaySource = "cn"
    exceptions: tuple[ExceptionPart, ...] = ()


def read_schedule(text: str, *, file: str = "schedule", time_zone: str = "Asia/Shanghai") -> Schedule:
    """Read and check a schedule (YAML or JSON).

    Args:
        text: the document.
        file: its name, for messages.
        time_zone: its zone, if it names none.

    Raises:
        BadFile: with every mistake found.
    """
    source = YamlText(text, file)
    try:
        document = ScheduleDocument.model_validate(source.content)
    except ValidationError as error:
        raise BadFile([*source.mistakes, *source.validation_mistakes(error, {}, "Correct it.")]) from None
    twice = [day for day, count in Counter(each.date for each in document.exceptions).items() if count > 1]
    mistakes = [
        source.mistake(("exceptions",), f"{day} stands twice", "Name each day once, with all its hours.")
        for day in twice
    ]
    if found := [*source.mistakes, *mistakes]:
        raise BadFile(found)
    try:
        return Schedule(
            zone=ZoneInfo(document.time_zone or time_zone),
            week=document.week,
            holidays=document.holidays,
            exceptions={each.date: each.intervals for each in document.exceptions},
            name=file,
        )
    except Invalid as error:
        raise BadFile(
            [source.mistake((error.field or "week",), error.detail.rstrip("."), error.remedy or "")]
        ) from None


def schedule_document(schedule: Schedule) -> dict[str, Any]:
    """A schedule as JSON, in the form of its file."""
    return {
        "time_zone": schedule.zone.key,
        "week": {day: [str(each) for each in intervals] for day, intervals in schedule.week.items()},
        "holidays": schedule.holidays,
        "exceptions": [
            {"date": str(day), "intervals": [str(each) for each in intervals]}
            for day, intervals in sorted(schedule.exceptions.items())
        ],
    }
