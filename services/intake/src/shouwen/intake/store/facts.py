"""What happened to a case: its own facts, what was heard of it, and who looked."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from shouwen.contracts.casework import CaseEvent
from shouwen.contracts.event import CloudEvent
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.timeline import Entry, plain_values
from shouwen.runtime import queries, telemetry
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/facts.sql")


@dataclass(frozen=True, slots=True)
class Note:
    """Words that a person recorded with a fact."""

    type: str
    at: datetime
    by: str
    text: bytes


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One line of a timeline, own or heard."""

    at: datetime
    event_id: str
    source: str
    type: str
    details: Mapping[str, Any]
    traceparent: str | None


async def add_fact(
    tx: Transaction, event: CloudEvent[CaseEvent], *, actor: str | None, note: bytes | None = None
) -> None:
    """Keep a case's own fact, for ever."""
    await tx.execute(
        QUERIES.add_fact,
        event.id,
        event.data.case_id,
        event.data.branch,
        event.type,
        event.time,
        tx.now,
        actor,
        details_of(event),
        event.traceparent,
        note,
    )


def details_of(event: CloudEvent[CaseEvent]) -> str:
    """What the timeline shows of a fact, as JSON."""
    return _json(plain_values(event.data))


async def notes(tx: Transaction, case_id: UUID) -> list[Note]:
    """The words recorded with a case's facts."""
    rows = await tx.fetch(QUERIES.notes, case_id)
    return [Note(type=row["type"], at=row["at"], by=row["actor"], text=row["note"]) for row in rows]


async def add_heard(tx: Transaction, entries: Iterable[Entry]) -> None:
    """Keep facts heard from other services."""
    await tx.execute_many(
        QUERIES.add_heard,
        [
            (
                entry.source,
                entry.event_id,
                entry.case_id,
                entry.branch,
                entry.type,
                entry.at,
                tx.now,
                _json(entry.values),
                entry.traceparent,
            )
            for entry in entries
        ],
    )


async def timeline_page(
    tx: Transaction, case_id: UUID, *, after: tuple[datetime, str] | None, limit: int
) -> list[TimelineRow]:
    """A case's timeline from after a place in it, the oldest first."""
    at, event_id = after or (None, None)
    rows = await tx.fetch(QUERIES.timeline_page, case_id, at, event_id, limit)
    return [
        TimelineRow(
            at=row["at"],
            event_id=row["event_id"],
            source=row["source"],
            type=row["type"],
            details=json.loads(row["details"]),
            traceparent=row["traceparent"],
        )
        for row in rows
    ]


async def earliest_due(tx: Transaction, case_id: UUID) -> datetime | None:
    """The earliest limit of a policy that runs for the case, as far as sla told of one."""
    return cast("datetime | None", await tx.fetch_value(QUERIES.earliest_due, case_id))


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, ensure_ascii=False)


async def add_look(tx: Transaction, case: Case, *, person: str, fields: Sequence[str]) -> None:
    """Record that a person saw these fields unmasked."""
    await tx.execute(QUERIES.add_look, tx.now, person, case.id, case.branch, list(fields), telemetry.current_trace_id())
