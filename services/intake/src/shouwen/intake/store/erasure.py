"""Erasures, what they take away, and who looked at personal data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.erasure import Erasure, FoundBy, State, Whose
from shouwen.intake.store.cases import Filed, filed
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/erasure.sql")


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody saw these fields of a case unmasked, or a mail that is no case's."""

    id: int
    at: datetime
    person: str
    number: str | None
    branch: str
    fields: Sequence[str]
    trace_id: str | None


async def add_erasure(tx: Transaction, asked: Erasure, reason: bytes) -> bool:
    """Keep an erasure that somebody asks for; False when the same one waits already."""
    taken = await tx.fetch_value(
        QUERIES.add_erasure,
        asked.id,
        asked.whose,
        asked.found_by,
        asked.person_hash,
        reason,
        asked.proposed_by,
        asked.proposed_at,
        asked.cases,
    )
    return taken is not None


async def lock_erasure(tx: Transaction, erasure_id: UUID) -> Erasure | None:
    """An erasure, for its decision."""
    row = await tx.fetch_one(QUERIES.lock_erasure, erasure_id)
    return None if row is None else _erasure(row)


async def save_erasure(tx: Transaction, decided: Erasure) -> None:
    """Keep what was decided."""
    await tx.execute(
        QUERIES.save_erasure, decided.id, decided.state, decided.decided_by, decided.decided_at, decided.cases
    )


async def erasures_page(
    tx: Transaction, *, after: UUID | None, state: State | None, limit: int
) -> list[tuple[Erasure, bytes]]:
    """Erasures below ``after`` with their reasons, the newest first."""
    return [(_erasure(row), row["reason"]) for row in await tx.fetch(QUERIES.erasures_page, after, state, limit)]


async def erasures_done(tx: Transaction) -> list[Erasure]:
    """What was erased, the oldest first."""
    return [_erasure(row) for row in await tx.fetch(QUERIES.erasures_done)]


async def lock_cases_of(tx: Transaction, found_by: FoundBy, person_hash: str) -> list[Filed]:
    """The cases that have a person's data, for a change."""
    query = {
        "client_identifier": QUERIES.lock_cases_of_client,
        "phone": QUERIES.lock_cases_of_phone,
        "email": QUERIES.lock_cases_of_email,
    }[found_by]
    return [filed(row) for row in await tx.fetch(query, person_hash)]


async def cases_erased(tx: Transaction, done: Erasure) -> list[Case]:
    """The cases that an erasure took the data from, as far as no backup brought them back."""
    return [filed(row).case for row in await tx.fetch(QUERIES.cases_erased, done.whose, done.decided_at)]


async def erase_case(tx: Transaction, case_id: UUID, whose: Whose, words: bytes) -> None:
    """Take the words about a person out of a case, and put ``words`` in their place."""
    await tx.execute(QUERIES.erase_case, case_id, whose, words)


async def looks_page(
    tx: Transaction,
    *,
    after: int | None,
    person: str | None,
    number: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[Look]:
    """Looks below ``after``, the newest first."""
    rows = await tx.fetch(QUERIES.looks_page, after, person, number, since, until, limit)
    return [
        Look(
            id=row["id"],
            at=row["at"],
            person=row["person"],
            number=row["number"],
            branch=row["branch"],
            fields=row["fields"],
            trace_id=row["trace_id"],
        )
        for row in rows
    ]


def _erasure(row: asyncpg.Record) -> Erasure:
    return Erasure(
        id=UUID(int=row["id"].int),
        whose=row["whose"],
        found_by=row["found_by"],
        person_hash=row["person_hash"],
        state=row["state"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        cases=row["cases"],
    )
