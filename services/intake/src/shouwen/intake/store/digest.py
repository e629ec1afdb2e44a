"""Weekly digests of suggestions."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import asyncpg

from shouwen.intake.domain.digest import CategoryShare, Digest
from shouwen.intake.domain.life_cycle import OPEN_STATES
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/digest.sql")


async def undigested(tx: Transaction, *, branch: str, before: datetime, limit: int) -> list[UUID]:
    """Open suggestions that came in before a moment and are in no digest, held until this transaction ends."""
    rows = await tx.fetch(QUERIES.undigested, branch, before, sorted(OPEN_STATES), limit)
    return [row["id"] for row in rows]


async def add_digest(tx: Transaction, digest: Digest, case_ids: Iterable[UUID]) -> None:
    """Keep a digest with its suggestions."""
    await tx.execute(QUERIES.add_digest, digest.id, digest.branch, digest.department, digest.made_at, digest.made_by)
    await tx.execute(QUERIES.put_into_digest, digest.id, list(case_ids))


async def digests_page(
    tx: Transaction, *, branch: str | None, department: str | None, after: UUID | None, limit: int
) -> list[Digest]:
    """Digests below ``after``, the newest first."""
    rows = await tx.fetch(QUERIES.digests_page, after, branch, department, limit)
    return [_digest(row) for row in rows]


async def digest(tx: Transaction, digest_id: UUID) -> Digest | None:
    """A digest, as far as one may see it."""
    row = await tx.fetch_one(QUERIES.digest, digest_id)
    return None if row is None else _digest(row)


async def digested_ids(
    tx: Transaction, digest_id: UUID, *, category: str | None, after: UUID | None, limit: int
) -> list[UUID]:
    """The suggestions of a digest from after one of them, the oldest first; of one category if it is given."""
    return [row["id"] for row in await tx.fetch(QUERIES.digested_ids, digest_id, after, category, limit)]


def _digest(row: asyncpg.Record) -> Digest:
    shares = [CategoryShare(category, suggestions) for category, suggestions in row["categories"]]
    return Digest(row["id"], row["branch"], row["department"], row["made_at"], row["made_by"], shares)
