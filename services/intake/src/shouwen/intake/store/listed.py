"""The list of dishonest clients as far as intake needs it, and the marks it leaves on cases."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from shouwen.intake.domain.case import Case
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/listed.sql")

Mark = Literal["client_blacklisted", "client_name_similar"]


@dataclass(frozen=True, slots=True)
class CaseMark:
    """A mark that a case has or had."""

    mark: Mark
    list_entry_id: UUID
    reason_code: str
    marked_at: datetime
    lifted_at: datetime | None


async def listed_entry(tx: Transaction, identifier_hash: str) -> tuple[UUID, str] | None:
    """The live list entry of an identifier, and its reason code."""
    row = await tx.fetch_one(QUERIES.listed_entry, identifier_hash)
    return None if row is None else (row["list_entry_id"], row["reason_code"])


async def list_client(
    tx: Transaction, *, list_entry_id: UUID, branch: str, identifier_hash: str, reason_code: str, listed_at: datetime
) -> bool:
    """Note a list entry; False when it is known to be lifted already."""
    return cast(
        bool, await tx.fetch_value(QUERIES.list_client, list_entry_id, branch, identifier_hash, reason_code, listed_at)
    )


async def delist_client(
    tx: Transaction, *, list_entry_id: UUID, branch: str, identifier_hash: str, reason_code: str, delisted_at: datetime
) -> None:
    """Note that a list entry no longer stands, and lift the marks it left."""
    await tx.execute(QUERIES.delist_client, list_entry_id, branch, identifier_hash, reason_code, delisted_at)
    await tx.execute(QUERIES.lift_marks, list_entry_id, delisted_at)


async def marks(tx: Transaction, case_id: UUID) -> list[CaseMark]:
    """The marks of a case, also those that were lifted."""
    rows = await tx.fetch(QUERIES.marks, case_id)
    return [
        CaseMark(
            mark=row["mark"],
            list_entry_id=row["list_entry_id"],
            reason_code=row["reason_code"],
            marked_at=row["marked_at"],
            lifted_at=row["lifted_at"],
        )
        for row in rows
    ]


async def add_mark(
    tx: Transaction, case: Case, *, mark: Mark, list_entry_id: UUID, reason_code: str, marked_at: datetime
) -> None:
    """Mark a case for a list entry."""
    await tx.execute(QUERIES.add_mark, case.id, mark, list_entry_id, case.branch, reason_code, marked_at)
