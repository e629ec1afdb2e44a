"""A branch sets its working hours; the group loads the announcement of a year."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from shouwen.runtime.errors import NotFound
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.announcement import AnnouncementDocument
from shouwen.sla.domain.calendar import office_hours
from shouwen.sla.domain.schedule_file import read_schedule, schedule_document
from shouwen.sla.store import calendars, recalculations, revision


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of a calendar. ``recalculation_id`` is None when nothing had to change."""

    document: dict[str, Any]
    recalculation_id: int | None


async def list_calendars(tx: Transaction, after: str, limit: int) -> list[asyncpg.Record]:
    """Branches the person may see, with the working hours that stand."""
    return await calendars.list_calendars(tx, None, after, limit)


async def get_calendar(tx: Transaction, branch: str) -> asyncpg.Record:
    """A branch with its working hours.

    Raises:
        NotFound: there is none, or the person may not see it.
    """
    found = await calendars.list_calendars(tx, branch, "", 1)
    if not found:
        raise NotFound(f"There is no branch {branch} that you may see.", remedy="See GET /api/calendars.")
    return found[0]


async def set_schedule(tx: Transaction, branch: str, text: str, person: str) -> Changed:
    """Give a branch working hours of its own; its open clocks are computed anew.

    Raises:
        NotFound: there is no such branch.
        BadFile: the schedule is not valid; every mistake is told.
    """
    row = await get_calendar(tx, branch)
    schedule = read_schedule(text, file="schedule", time_zone=row["time_zone"])
    return await _change_schedule(tx, row, schedule_document(schedule), person)


async def reset_schedule(tx: Transaction, branch: str, person: str) -> Changed:
    """Give a branch office hours again.

    Raises:
        NotFound: there is no such branch.
    """
    row = await get_calendar(tx, branch)
    return await _change_schedule(tx, row, None, person)


async def _change_schedule(tx: Transaction, row: asyncpg.Record, document: Any, person: str) -> Changed:
    shown = document or schedule_document(office_hours(row["time_zone"]))
    if document == row["document"]:
        return Changed(shown, None)
    number = await revision.raise_revision(tx)
    await calendars.add_schedule(tx, row["branch"], number, document, person)
    return Changed(shown, await recalculations.add_recalculation(tx, "schedule", row["branch"]))


async def announcements(tx: Transaction, after: int, limit: int) -> list[asyncpg.Record]:
    """The years that were announced to this installation."""
    return await calendars.announcements(tx, after, limit)


async def load_announcement(tx: Transaction, announcement: AnnouncementDocument, person: str) -> Changed:
    """Load the holidays and make-up workdays of a year; open clocks are computed anew."""
    document = announcement.kept()
    number = await revision.raise_revision(tx)
    standing = await calendars.announcements(tx, announcement.year - 1, 1)
    if standing and standing[0]["year"] == announcement.year and standing[0]["document"] == document:
        return Changed(document, None)
    await calendars.add_announcement(tx, announcement.year, number, document, person)
    return Changed(document, await recalculations.add_recalculation(tx, "announcement", None))
