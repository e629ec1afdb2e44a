"""Entering a case, in as few round trips as can be: while its number is held, its branch's next one waits."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shouwen.contracts.casework import CaseEvent
from shouwen.contracts.event import CloudEvent
from shouwen.intake.domain.case import Case
from shouwen.intake.store.cases import case_columns
from shouwen.intake.store.facts import details_of
from shouwen.intake.store.protection import Protected
from shouwen.runtime import queries
from shouwen.runtime.auth import Principal
from shouwen.runtime.outbox import Outgoing
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


async def ground(
    tx: Transaction, *, person: str, key: str, branch: str, owner: str, identifier_hash: str | None
) -> Ground:
    """What a registration stands on, without taking the key."""
    row = await tx.fetch_one(QUERIES.ground, person, key, branch, owner, identifier_hash)
    assert row is not None
    return _ground(row)


UNNUMBERED = "UNNUMBERED-0000-0000000000"
"""What stands for the number in a case and its event until the database gives it."""


async def file_at_once(
    work: UnitOfWork,
    principal: Principal,
    case: Case,
    protected: Protected,
    event: CloudEvent[CaseEvent],
    *,
    key: str,
    request_hash: str,
    number_prefix: str,
    year: int,
) -> str | None:
    """File a new case that has no number yet, in a transaction of its own; its number, or None if the key is taken."""
    outgoing = Outgoing.of(event)
    row = await work.at_once(
        principal,
        QUERIES.file_at_once,
        principal.person,
        key,
        case.branch,
        request_hash,
        case.id,
        case.registered_at,
        year,
        number_prefix,
        UNNUMBERED,
        *case_columns(case, protected),
        event.id,
        event.type,
        event.time,
        case.registered_at,
        principal.person,
        details_of(event),
        event.traceparent,
        outgoing.stream,
        outgoing.key,
        event.source,
        event.subject,
        event.body().decode(),
    )
    return None if row is None else row["number"]


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
