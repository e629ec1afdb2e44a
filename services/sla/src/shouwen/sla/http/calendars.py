"""Working hours of branches, announced years, and what becomes of a day."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import Invalid
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.domain.announcement import AnnouncementDocument, read_announcement
from shouwen.sla.domain.calendar import DayKind, HolidaySource, Timetable, Weekday, office_hours
from shouwen.sla.domain.policies import Branch
from shouwen.sla.domain.schedule_file import schedule_document
from shouwen.sla.handlers import calendars, recalculation
from shouwen.sla.handlers.calendars import Changed
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.http.body import DocumentText, document

_MOST_DAYS = 366
_BRANCH_ROLES = ("manager", "general_manager", "group_admin")
BranchPath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,39}$", description="Code of the branch")]


class ExceptionItem(BaseModel):
    """A date that is worked otherwise than its weekday and the public calendar say; no hours: closed."""

    date: date
    intervals: list[str]


class CalendarItem(BaseModel):
    """The working hours of a branch."""

    branch: str
    name: str
    time_zone: str
    week: dict[Weekday, list[str]] = Field(description='Hours by weekday, as {"mon": ["09:00-12:00", "13:00-24:00"]}')
    holidays: HolidaySource
    exceptions: list[ExceptionItem]
    is_own: bool = Field(description="false: office hours, for the branch has none of its own")
    set_by: str | None
    set_at: datetime | None


class DayItem(BaseModel):
    """How one date is worked, and why."""

    date: date
    kind: DayKind
    name: str | None = Field(description="Of the holiday")
    intervals: list[str] = Field(description="Local hours; empty when nothing is worked")
    provisional: bool = Field(description="The holidays of its year are not announced yet")


class CalendarDetail(CalendarItem):
    """The working hours of a branch, and what they make of a range of days."""

    days: list[DayItem]


class CalendarChange(BaseModel):
    """Working hours that were set."""

    branch: str
    schedule: dict[str, Any]
    recalculation: int | None = Field(description="Open clocks are computed anew under this number; null: no change")


class AnnouncementItem(BaseModel):
    """An announced year."""

    year: int
    source: str | None
    holidays: list[dict[str, Any]]
    workdays: list[dict[str, Any]]
    loaded_by: str
    loaded_at: datetime


class AnnouncementChange(BaseModel):
    """An announcement that was loaded."""

    year: int
    announcement: dict[str, Any]
    recalculation: int | None = Field(description="Open clocks are computed anew under this number; null: no change")


class RecalculationItem(BaseModel):
    """Open clocks that are computed anew after a change."""

    id: int
    cause: Literal["schedule", "announcement", "pack", "directory"]
    branch: str | None = Field(description="null: all branches")
    due_at: datetime = Field(description="When the change takes effect")
    clocks: int = Field(description="Open clocks looked at so far")
    moved: int = Field(description="Of these, how many are due at another time now")
    asked_at: datetime
    done_at: datetime | None


_SCHEDULE = document("The schedule: time_zone, week, holidays, exceptions (services/sla/README.md)")
_ANNOUNCEMENT = document("The announcement: year, source, holidays, workdays (docs/operating.md)")


def add_routes(router: APIRouter, work: UnitOfWork, rules: Rules) -> None:
    """Calendars: shown, set, announced."""
    _announcements(router, work)

    @router.get("/calendars")
    async def list_calendars(caller: Caller, limit: Limit, after: After) -> Page[CalendarItem]:  # pyright: ignore[reportUnusedFunction]
        """The working hours of the branches you may see."""
        async with work.as_person(caller) as tx:
            rows = await calendars.list_calendars(tx, after or "", limit + 1)
        items = [CalendarItem.model_validate(_calendar(row)) for row in rows[:limit]]
        return Page(items=items, next=items[-1].branch if len(rows) > limit else None)

    @router.get("/calendars/{branch}")
    async def get_calendar(  # pyright: ignore[reportUnusedFunction]
        branch: BranchPath,
        caller: Caller,
        first: Annotated[date | None, Query(alias="from", description="First day; without it today")] = None,
        last: Annotated[date | None, Query(alias="to", description="Last day; without it a month after")] = None,
    ) -> CalendarDetail:
        """One branch's working hours, and what becomes of each day of a range of at most 366 days."""
        async with work.as_person(caller) as tx:
            row, today = await calendars.get_calendar(tx, branch), tx.now
        timetable = (await rules.current()).timetable(Branch(branch, row["time_zone"], ()))
        begins = first or today.astimezone(timetable.zone).date()
        days = _days(timetable, begins, last or min(begins, date(2999, 11, 30)) + timedelta(days=30))
        return CalendarDetail.model_validate({**_calendar(row), "days": days})

    @router.put("/calendars/{branch}", openapi_extra=_SCHEDULE)
    async def set_calendar(branch: BranchPath, caller: Caller, text: DocumentText) -> CalendarChange:  # pyright: ignore[reportUnusedFunction]
        """Set a branch's working hours. Its open clocks are computed anew; those that ended stay as they are."""
        caller.require_role(*_BRANCH_ROLES)
        caller.require_branch(branch)
        async with work.as_person(caller) as tx:
            changed = await calendars.set_schedule(tx, branch, text, caller.person)
        return _changed(branch, changed)

    @router.delete("/calendars/{branch}")
    async def reset_calendar(branch: BranchPath, caller: Caller) -> CalendarChange:  # pyright: ignore[reportUnusedFunction]
        """Give a branch office hours again."""
        caller.require_role(*_BRANCH_ROLES)
        caller.require_branch(branch)
        async with work.as_person(caller) as tx:
            changed = await calendars.reset_schedule(tx, branch, caller.person)
        return _changed(branch, changed)


def _announcements(router: APIRouter, work: UnitOfWork) -> None:
    @router.get("/calendars/announcements")
    async def list_announcements(caller: Caller, limit: Limit, after: After) -> Page[AnnouncementItem]:  # pyright: ignore[reportUnusedFunction]
        """The years that were announced to this installation, beside those it knew when it was released."""
        async with work.as_person(caller) as tx:
            rows = await calendars.announcements(tx, _year(after), limit + 1)
        items = [
            AnnouncementItem.model_validate(
                {**row["document"], "loaded_by": row["loaded_by"], "loaded_at": row["loaded_at"]}
            )
            for row in rows[:limit]
        ]
        return Page(items=items, next=str(items[-1].year) if len(rows) > limit else None)

    @router.post("/calendars/announcements", status_code=201, openapi_extra=_ANNOUNCEMENT)
    async def load_announcement(caller: Caller, text: DocumentText) -> AnnouncementChange:  # pyright: ignore[reportUnusedFunction]
        """Load the State Council's announcement of a year; deadlines that rested on a guess are computed anew."""
        caller.require_role("group_admin")
        announcement: AnnouncementDocument = read_announcement(text)
        async with work.as_person(caller) as tx:
            changed = await calendars.load_announcement(tx, announcement, caller.person)
        return AnnouncementChange(
            year=announcement.year, announcement=changed.document, recalculation=changed.recalculation_id
        )

    @router.get("/recalculations")
    async def list_recalculations(caller: Caller, limit: Limit, after: After) -> Page[RecalculationItem]:  # pyright: ignore[reportUnusedFunction]
        """How far the recalculation of open clocks has come after each change, the newest first."""
        async with work.as_person(caller) as tx:
            rows = await recalculation.list_recalculations(tx, None if after is None else _number(after), limit + 1)
        items = [RecalculationItem.model_validate({**row, "id": row["recalculation_id"]}) for row in rows[:limit]]
        return Page(items=items, next=str(items[-1].id) if len(rows) > limit else None)


def _calendar(row: asyncpg.Record) -> dict[str, Any]:
    document = row["document"] or schedule_document(office_hours(row["time_zone"]))
    return {
        **document,
        "branch": row["branch"],
        "name": row["name"],
        "is_own": row["document"] is not None,
        "set_by": row["set_by"],
        "set_at": row["set_at"],
    }


def _changed(branch: str, changed: Changed) -> CalendarChange:
    return CalendarChange(branch=branch, schedule=changed.document, recalculation=changed.recalculation_id)


def _days(timetable: Timetable, first: date, last: date) -> list[dict[str, Any]]:
    if not (first <= last and (last - first).days < _MOST_DAYS and first.year >= 1970 and last.year <= 2999):
        raise Invalid(
            f"The range is not 1 to {_MOST_DAYS} days between 1970 and 2999.", field="to", remedy="Ask for fewer days."
        )
    found: list[dict[str, Any]] = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        plan = timetable.schedule.day(day, timetable.public)
        is_guessed = timetable.schedule.holidays != "none" and not timetable.public.is_announced(day.year)
        intervals = [str(each) for each in plan.intervals]
        found.append(
            {"date": day, "kind": plan.kind, "name": plan.name, "intervals": intervals, "provisional": is_guessed}
        )
    return found


def _year(after: str | None) -> int:
    return 0 if after is None else _number(after)


def _number(after: str) -> int:
    if not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise Invalid("is not the key of a page.", field="after", remedy="Send the 'next' of the page before.")
    return int(after)
