"""Working hours of branches, and announced years."""

from datetime import datetime
from typing import Any

import asyncpg

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.sla", "sql/calendars.sql")


async def schedules(tx: Transaction, at: datetime | None = None) -> dict[str, Any]:
    """The schedule documents that stand, or stood at an instant, by branch."""
    return {row["branch"]: row["document"] for row in await tx.fetch(QUERIES.schedules, at)}


async def add_schedule(tx: Transaction, branch: str, revision: int, document: Any, person: str) -> None:
    """Keep a branch's working hours; None: office hours again."""
    await tx.execute(QUERIES.add_schedule, branch, revision, document, person)


async def list_calendars(tx: Transaction, branch: str | None, after: str, limit: int) -> list[asyncpg.Record]:
    """Branches the person may see, with the working hours that stand; one, or all after a key."""
    return await tx.fetch(QUERIES.list_calendars, branch, after, limit)


async def announcements(tx: Transaction, after: int, limit: int, at: datetime | None = None) -> list[asyncpg.Record]:
    """The announced years after one, each as it was last loaded, or was at an instant."""
    return await tx.fetch(QUERIES.announcements, after, limit, at)


async def add_announcement(tx: Transaction, year: int, revision: int, document: Any, person: str) -> None:
    """Keep the announcement of a year."""
    await tx.execute(QUERIES.add_announcement, year, revision, document, person)
