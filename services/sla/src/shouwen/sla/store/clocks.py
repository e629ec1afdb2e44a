"""Clocks: kept and listed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.allowance import Pause
from shouwen.sla.domain.arming import Armed, Kept
from shouwen.sla.domain.instant import micros, moment
from shouwen.sla.store.facts import Subject

QUERIES = queries.load("shouwen.sla", "sql/clocks.sql")


async def lock_clocks(tx: Transaction, subjects: Iterable[Subject]) -> dict[UUID, Kept]:
    """The clocks of these subjects, held until the transaction ends."""
    wanted = list(subjects)
    rows = await tx.fetch(QUERIES.lock_clocks, [key[0] for key in wanted], [key[1] for key in wanted])
    return {row["clock_id"]: _kept(row) for row in rows}


async def save_clocks(tx: Transaction, armed: Iterable[Armed]) -> None:
    """Keep clocks, new or changed."""
    await tx.execute(QUERIES.save_clocks, [_row(each) for each in armed])


@dataclass(frozen=True, slots=True)
class ClockFilter:
    """Which clocks to list; what is None does not restrict."""

    subject: str | None = None
    branch: str | None = None
    state: str | None = None
    breached: bool | None = None
    owner: str | None = None
    department: str | None = None
    due_before: datetime | None = None


async def list_clocks(
    tx: Transaction, wanted: ClockFilter, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """Clocks the person may see, the earliest deadline first, after a key."""
    due_at, clock_id = after or (None, None)
    return await tx.fetch(
        QUERIES.list_clocks,
        wanted.subject,
        wanted.branch,
        wanted.state,
        wanted.breached,
        wanted.owner,
        wanted.department,
        wanted.due_before,
        due_at,
        clock_id,
        limit,
    )


async def get_clock(tx: Transaction, clock_id: UUID) -> asyncpg.Record | None:
    """One clock, if the person may see it."""
    return await tx.fetch_one(QUERIES.get_clock, clock_id)


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(
        clock_id=row["clock_id"],
        state=row["state"],
        breached=row["breached"],
        started_at=micros(row["started_at"]),
        due_at=micros(row["due_at"]),
        deadline_stands=row["deadline_stands"],
        ended_at=_optional_micros(row["ended_at"]),
        provisional=row["provisional"],
        pauses=tuple(Pause(pause["starts"], pause["ends"], pause["reason"], pause["by"]) for pause in row["pauses"]),
        instants=tuple(_optional_micros(at) for at in row["fire_at"]),
        step=row["step"],
        generation=row["generation"],
        fired_at=tuple(_optional_micros(at) for at in row["fired_at"]),
        owner=row["owner"],
        department=row["department"],
        extensions=tuple(extension["at"] for extension in row["extensions"]),
    )


def _row(armed: Armed) -> dict[str, Any]:
    clock = armed.clock
    return {
        "clock_id": clock.clock_id,
        "branch": clock.branch,
        "subject": clock.subject,
        "pack": clock.target.pack,
        "pack_version": clock.target.version,
        "policy": clock.target.policy,
        "target": clock.target.name,
        "clause": clock.target.clause_text,
        "cycle": clock.cycle,
        "state": armed.state,
        "breached": armed.breached,
        "provisional": clock.provisional,
        "started_at": moment(clock.started_at),
        "due_at": moment(clock.due_at),
        "deadline_stands": clock.deadline_stands,
        "ended_at": _optional_moment(clock.ended_at),
        "reason": clock.reason,
        "pauses": [
            {"starts": pause.starts, "ends": pause.ends, "reason": pause.reason, "by": pause.by}
            for pause in clock.pauses
        ],
        "owner": clock.responsible.owner,
        "department": clock.responsible.department,
        "traceparent": clock.traceparent,
        "fire_at": [_optional_moment(step.at) for step in clock.steps],
        "fired_at": [_optional_moment(at) for at in armed.fired_at],
        "breach_step": clock.breach_step,
        "roles": [step.role for step in clock.steps if step.kind == "escalated"],
        "step": armed.step,
        "generation": armed.generation,
        "next_fire_at": _optional_moment(armed.next_fire_at),
        "extensions": [
            {"at": each.at, "units": each.units, "reason": each.reason, "by": each.by, "informed_at": each.informed_at}
            for each in clock.extensions
        ],
    }


def _optional_moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)


def _optional_micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
