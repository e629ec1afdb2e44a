"""The register: cases by number, by id, by page."""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

import asyncpg

from shouwen.intake.domain.case import Case, Pause
from shouwen.intake.domain.life_cycle import OPEN_STATES
from shouwen.intake.store.protection import Protected
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/cases.sql")


@dataclass(frozen=True, slots=True)
class Filed:
    """A case with its particulars, as it lies in the register."""

    case: Case
    protected: Protected


async def take_number(tx: Transaction, *, branch: str, year: int) -> int:
    """The next position in the series of a branch and year."""
    return cast(int, await tx.fetch_value(QUERIES.take_number, branch, year))


def case_columns(case: Case, protected: Protected) -> tuple[object, ...]:
    """The values of a new case, in the order in which the statements take them."""
    return (
        case.id,
        case.number,
        case.branch,
        case.type,
        case.severity,
        case.channel,
        case.relation,
        case.state,
        case.received_at,
        case.registered_at,
        case.registrar,
        case.owner,
        case.department,
        case.promised_at,
        case.traceparent,
        protected.subject,
        protected.description,
        protected.requester_name,
        protected.requester_phone,
        protected.requester_phone_hash,
        protected.client_name,
        protected.client_identifier,
        protected.client_identifier_hash,
        protected.requester_email,
        protected.requester_email_hash,
        case.parent_id,
        list(protected.grams),
    )


async def case_by_number(tx: Transaction, number: str) -> Filed | None:
    """A case by its number; None also when it is another branch's."""
    row = await tx.fetch_one(QUERIES.case_by_number, number)
    return None if row is None else filed(row)


async def case_by_id(tx: Transaction, case_id: UUID) -> Filed | None:
    """A case by its id; None also when it is another branch's."""
    row = await tx.fetch_one(QUERIES.case_by_id, case_id)
    return None if row is None else filed(row)


async def lock_case_by_number(tx: Transaction, number: str) -> Filed | None:
    """A case by its number, for a change."""
    row = await tx.fetch_one(QUERIES.lock_case_by_number, number)
    return None if row is None else filed(row)


async def lock_case_by_id(tx: Transaction, case_id: UUID) -> Filed | None:
    """A case by its id, for a change."""
    row = await tx.fetch_one(QUERIES.lock_case_by_id, case_id)
    return None if row is None else filed(row)


async def lock_open_cases_of_client(tx: Transaction, identifier_hash: str) -> list[Case]:
    """The open cases that name a client, for a change."""
    rows = await tx.fetch(QUERIES.lock_open_cases_of_client, identifier_hash, sorted(OPEN_STATES))
    return [filed(row).case for row in rows]


async def waited_enough(tx: Transaction, limit: int) -> list[UUID]:
    """Cases that wait for an answer which was expected until now."""
    return [UUID(int=row["id"].int) for row in await tx.fetch(QUERIES.waited_enough, limit)]


async def save_case(tx: Transaction, case: Case) -> None:
    """Keep what a command changed."""
    await tx.execute(
        QUERIES.save_case,
        case.id,
        case.state,
        case.owner,
        case.department,
        case.replied_at,
        case.plan_delivered_at,
        case.ended_at,
        case.type,
        case.severity,
        case.promised_at,
        case.acknowledged_at,
        case.pause.reason if case.pause else None,
        case.pause.paused_at if case.pause else None,
        case.pause.expected_until if case.pause else None,
        case.cycle,
        case.found_malicious_at,
        case.parts,
        case.merged_into,
        case.merged_into_number,
    )


def _uuid(value: UUID | None) -> UUID | None:
    """The driver's own UUID class as the standard one."""
    return None if value is None else UUID(int=value.int)


def filed(row: asyncpg.Record) -> Filed:
    """The case of a row with all columns of ``cases``."""
    case = Case(
        id=UUID(int=row["id"].int),
        number=row["number"],
        branch=row["branch"],
        type=row["type"],
        severity=row["severity"],
        channel=row["channel"],
        relation=row["relation"],
        state=row["state"],
        received_at=row["received_at"],
        registered_at=row["registered_at"],
        registrar=row["registrar"],
        owner=row["owner"],
        department=row["department"],
        promised_at=row["promised_at"],
        traceparent=row["traceparent"],
        replied_at=row["replied_at"],
        plan_delivered_at=row["plan_delivered_at"],
        ended_at=row["ended_at"],
        acknowledged_at=row["acknowledged_at"],
        pause=None
        if row["pause_reason"] is None
        else Pause(row["pause_reason"], row["paused_at"], row["expected_until"]),
        cycle=row["cycle"],
        found_malicious_at=row["found_malicious_at"],
        parent_id=_uuid(row["parent_id"]),
        parts=row["parts"],
        merged_into=_uuid(row["merged_into"]),
        merged_into_number=row["merged_into_number"],
    )
    protected = Protected(
        subject=row["subject"],
        description=row["description"],
        requester_name=row["requester_name"],
        requester_phone=row["requester_phone"],
        requester_phone_hash=row["requester_phone_hash"],
        requester_email=row["requester_email"],
        requester_email_hash=row["requester_email_hash"],
        client_name=row["client_name"],
        client_identifier=row["client_identifier"],
        client_identifier_hash=row["client_identifier_hash"],
        erased=tuple(whose for whose in ("client", "requester") if row[f"{whose}_erased_at"] is not None),
    )
    return Filed(case=case, protected=protected)
