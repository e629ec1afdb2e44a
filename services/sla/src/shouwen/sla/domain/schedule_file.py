"""Reading a schedule's YAML: the working hours of a branch, in its own zone, with its own exceptions."""

from datetime import date
from typing import Annotated
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

    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    week: dict[Weekday, Hours]
    holidays: HolidaySource = "cn"
    exceptions: tuple[ExceptionPart, ...] = ()


def read_schedule(text: str, *, file: str = "schedule") -> Schedule:
    """Read and check a schedule.

    Raises:
        BadFile: with every mistake found.
    """
    source = YamlText(text, file)
    try:
        document = ScheduleDocument.model_validate(source.content)
    except ValidationError as error:
        raise BadFile([*source.mistakes, *source.validation_mistakes(error, {}, "Correct it.")]) from None
    if source.mistakes:
        raise BadFile(source.mistakes)
    try:
        return Schedule(
            zone=ZoneInfo(document.time_zone),
            week=document.week,
            holidays=document.holidays,
            exceptions={each.date: each.intervals for each in document.exceptions},
            name=file,
        )
    except Invalid as error:
        raise BadFile(
            [source.mistake((error.field or "week",), error.detail.rstrip("."), error.remedy or "")]
        ) from None
