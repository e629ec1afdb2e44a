"""Entering a case, in as few round trips as can be: while its number is held, its branch's next one waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from pydantic_core import to_json

from shouwen.contracts.casework import CaseEvent
from shouwen.contracts.event import CloudEvent
from shouwen.intake.domain.case import Case
from shouwen.intake.store.cases import case_columns
from shouwen.intake.store.facts import details_of
from shouwen.intake.store.protection import Protected
from shouwen.runtime import queries
from shouwen.runtime.auth import Principal
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork

QUERIES = queries.load("shouwen.intake", "sql/registration.sql")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a registration stands on."""

    is_new: bool
    """Whether the caller's key was free."""
    number_prefix: str | None
    """None when the directory does not have the branch."""
    time_zone: str
    is_known_owner: bool
    department: str | None
    """That of the owner."""
    listed: tuple[UUID, str] | None
    """The live list entry of the client, and its reason code."""


async def begin_registration(
    tx: Transaction,
    *,
    person: str,
    key: str,
    branch: str,
    request_hash: str,
    case_id: UUID,
    owner: str | None,
    identifier_hash: str | None,
) -> Ground:
    """Take the caller's key, and look up what the registration needs. Waits for another request with the key to end."""
    row = await tx.fetch_one(
        QUERIES.begin_registration, person, key, branch, request_hash, case_id, tx.now, owner, identifier_hash
    )
    assert row is not None
    return _ground(row)


def _ground(row: asyncpg.Record) -> Ground:
    entry: UUID | None = row["list_entry_id"]
    return Ground(
        is_new=row["is_new"],
        number_prefix=row["number_prefix"],
        time_zone=row["time_zone"] or "",
        is_known_owner=row["owner"] is not None,
        department=row["department"],
        listed=None if entry is None else (entry, row["reason_code"]),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a registration stands on is asked by."""

    principal: Principal
    key: str
    branch: str
    owner: str
    identifier_hash: str | None


async def grounds(work: UnitOfWork, asked: Sequence[Asked]) -> list[tuple[datetime, Ground]]:
    """The time, and what registrations stand on, each in its place, without taking their keys.

    Args:
        work: runs the statement.
        asked: by persons who all see the same branches.
    """
    rows = await work.at_once(
        asked[0].principal,
        QUERIES.grounds,
        [each.principal.person for each in asked],
        [each.key for each in asked],
        [each.branch for each in asked],
        [each.owner for each in asked],
        [each.identifier_hash for each in asked],
    )
    return [(row["now"], _ground(row)) for row in rows]


UNNUMBERED = "UNNUMBERED-0000-0000000000"
"""What stands for the number in a case and its event until the database gives it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A new case that has no number yet, with all that is filed with it."""

    principal: Principal
    key: str
    request_hash: str
    number_prefix: str
    year: int
    case: Case
    protected: Protected
    event: CloudEvent[CaseEvent]


async def file_at_once(work: UnitOfWork, entries: Sequence[Entry]) -> list[str | None]:
    """File new cases in a transaction of its own; their numbers, None for each whose key is taken.

    Args:
        work: runs the statement.
        entries: registered by persons who all see the same branches.
    """
    filed = to_json([_values(entry) for entry in entries], bytes_mode="hex").decode()
    rows = await work.at_once(entries[0].principal, QUERIES.file_at_once, filed, UNNUMBERED)
    work.wake_relay()
    numbers: dict[int, str] = {row["id"].int: row["number"] for row in rows}
    return [numbers.get(entry.case.id.int) for entry in entries]


def _values(entry: Entry) -> dict[str, object]:
    case, protected, event = entry.case, entry.protected, entry.event
    return {
        "id": case.id,
        "key": entry.key,
        "request_hash": entry.request_hash,
        "number_prefix": entry.number_prefix,
        "year": entry.year,
        "number": case.number,
        "branch": case.branch,
        "type": case.type,
        "severity": case.severity,
        "channel": case.channel,
        "relation": case.relation,
        "state": case.state,
        "received_at": case.received_at,
        "registered_at": case.registered_at,
        "registrar": case.registrar,
        "owner": case.owner,
        "department": case.department,
        "promised_at": case.promised_at,
        "traceparent": event.traceparent,
        "subject": protected.subject,
        "description": protected.description,
        "requester_name": protected.requester_name,
        "requester_phone": protected.requester_phone,
        "requester_phone_hash": protected.requester_phone_hash,
        "client_name": protected.client_name,
        "client_identifier": protected.client_identifier,
        "client_identifier_hash": protected.client_identifier_hash,
        "requester_email": protected.requester_email,
        "requester_email_hash": protected.requester_email_hash,
        "grams": protected.grams,
        "event_id": event.id,
        "event_type": event.type,
        "event_time": event.time,
        "details": details_of(event),
        "stream": event.data.stream,
        "event_key": event.key,
        "event_source": event.source,
        "event_subject": event.subject,
        "body": event.body().decode(),
    }


async def file_case(
    tx: Transaction, case: Case, protected: Protected, event: CloudEvent[CaseEvent], *, actor: str
) -> None:
    """Put a new case into the register with its first fact, and what was emitted so far into the outbox."""
    await tx.execute_and_flush(
        QUERIES.file_case,
        *case_columns(case, protected),
        event.id,
        event.type,
        event.time,
        tx.now,
        actor,
        details_of(event),
        event.traceparent,
    )
