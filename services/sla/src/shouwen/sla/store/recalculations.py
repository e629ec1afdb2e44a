"""Open clocks that are to be computed anew after a change of the rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.store.facts import Subject

QUERIES = queries.load("shouwen.sla", "sql/recalculations.sql")

Cause = Literal["schedule", "announcement", "pack", "directory"]


@dataclass(frozen=True, slots=True)
class Recalculation:
    """One that is under way. ``branch`` is None when it concerns all."""

    recalculation_id: int
    branch: str | None
    after: Subject
    """Branch and subject of the last one that was looked at."""


async def add_recalculation(tx: Transaction, cause: Cause, branch: str | None, due_at: datetime | None = None) -> int:
    """Ask for open clocks to be computed anew, of one branch or of all, now or from an instant on."""
    return await tx.fetch_value(QUERIES.add_recalculation, cause, branch, due_at)


async def claim_recalculation(tx: Transaction) -> Recalculation | None:
    """The next one that is due, held until the transaction ends."""
    row = await tx.fetch_one(QUERIES.claim_recalculation)
    if row is None:
        return None
    return Recalculation(row["recalculation_id"], row["branch"], (row["after_branch"], row["after_subject"]))


async def open_subjects(tx: Transaction, wanted: Recalculation, limit: int) -> list[Subject]:
    """The next subjects that have open clocks."""
    branch, subject = wanted.after
    rows = await tx.fetch(QUERIES.open_subjects, wanted.branch, subject, branch, limit)
    return [(row["branch"], row["subject"]) for row in rows]


async def note_progress(tx: Transaction, recalculation_id: int, last: Subject, clocks: int, moved: int) -> None:
    """Keep how far it has come."""
    await tx.execute(QUERIES.note_progress, recalculation_id, last[1], last[0], clocks, moved)


async def finish_recalculation(tx: Transaction, recalculation_id: int) -> None:
    """Note that all open clocks have been computed anew."""
    await tx.execute(QUERIES.finish_recalculation, recalculation_id)


async def cancel_clocks(tx: Transaction, clock_ids: Iterable[UUID], reason: str) -> list[asyncpg.Record]:
    """End open clocks whose target no longer binds their branch."""
    return await tx.fetch(QUERIES.cancel_clocks, list(clock_ids), reason)


async def list_recalculations(tx: Transaction, before: int | None, limit: int) -> list[asyncpg.Record]:
    """Those the person may see, the newest first."""
    return await tx.fetch(QUERIES.list_recalculations, before, limit)


async def open_clocks(tx: Transaction, subjects: Iterable[Subject]) -> dict[Subject, list[asyncpg.Record]]:
    """The open clocks of these subjects, as they are kept."""
    wanted = list(subjects)
    rows = await tx.fetch(QUERIES.open_clocks, [key[0] for key in wanted], [key[1] for key in wanted])
    found: dict[Subject, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault((row["branch"], row["subject"]), []).append(row)
    return found
