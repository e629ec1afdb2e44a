"""Cases that belong to others: linked, merged, parts of a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.life_cycle import OPEN_STATES
from shouwen.intake.store.cases import Filed, filed
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/relatives.sql")


@dataclass(frozen=True, slots=True)
class Relatives:
    """The numbers of the cases that belong to a case."""

    links: Sequence[str] = ()
    merged: Sequence[str] = ()


ALONE = Relatives()


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """What a part was answered with; the words rest encrypted."""

    at: datetime
    by: str
    text: bytes


async def relatives(tx: Transaction, case_id: UUID) -> Relatives:
    """Which cases are linked to the case, and which were merged into it."""
    row = await tx.fetch_one(QUERIES.relatives, case_id)
    assert row is not None
    return Relatives(links=tuple(row["links"]), merged=tuple(row["merged"]))


async def are_linked(tx: Transaction, case: Case, other: Case) -> bool:
    """Whether two cases are linked."""
    return cast(bool, await tx.fetch_value(QUERIES.are_linked, *sorted((case.id, other.id))))


async def add_link(tx: Transaction, case: Case, other: Case, *, linked_by: str) -> None:
    """Link two cases."""
    await tx.execute(QUERIES.add_link, *sorted((case.id, other.id)), case.branch, linked_by, tx.now)


async def parts(tx: Transaction, parent_id: UUID) -> list[Filed]:
    """The parts of a split case, in their order."""
    return [filed(row) for row in await tx.fetch(QUERIES.parts, parent_id)]


async def lock_open_parts(tx: Transaction, parent_id: UUID) -> list[Case]:
    """The open parts of a split case, for a change."""
    return [filed(row).case for row in await tx.fetch(QUERIES.lock_open_parts, parent_id, sorted(OPEN_STATES))]


async def answers_of_parts(tx: Transaction, parent_id: UUID) -> dict[UUID, list[PartAnswer]]:
    """The answers of each part."""
    found: dict[UUID, list[PartAnswer]] = {}
    for row in await tx.fetch(QUERIES.answers_of_parts, parent_id):
        found.setdefault(UUID(int=row["id"].int), []).append(PartAnswer(row["at"], row["actor"], row["note"]))
    return found
