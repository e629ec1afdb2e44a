"""What lets a requester see the progress of their matter."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from shouwen.intake.domain.case import Case
from shouwen.intake.store.tokens import KeptCode
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/progress.sql")


@dataclass(frozen=True, slots=True)
class Contact:
    """Who answers for a case: the person's name, encrypted, and the department's; and the branch's time zone."""

    person: bytes | None
    department: str | None
    time_zone: str


async def branch_of_prefix(tx: Transaction, prefix: str) -> str | None:
    """The branch whose numbers begin so."""
    return cast("str | None", await tx.fetch_value(QUERIES.branch_of_prefix, prefix))


async def save_code(tx: Transaction, case: Case, kept: KeptCode, *, by: str) -> None:
    """Keep what is kept of a case's secret code; the code before no longer works."""
    await tx.execute(QUERIES.save_code, case.id, case.branch, kept.salt, kept.hash, tx.now, by)


async def code_of(tx: Transaction, number: str) -> KeptCode | None:
    """What is kept of the secret code of a case, if it has one."""
    row = await tx.fetch_one(QUERIES.code_of, number)
    return None if row is None else KeptCode(salt=row["salt"], hash=row["hash"])


async def steps(tx: Transaction, case_id: UUID) -> list[tuple[datetime, str]]:
    """The times and types of a case's own facts, the oldest first."""
    return [(row["at"], row["type"]) for row in await tx.fetch(QUERIES.steps, case_id)]


async def contact(tx: Transaction, case: Case) -> Contact:
    """Who answers for a case."""
    row = await tx.fetch_one(QUERIES.contact, case.branch, case.owner, case.department)
    assert row is not None
    return Contact(person=row["person"], department=row["department"], time_zone=row["time_zone"])
