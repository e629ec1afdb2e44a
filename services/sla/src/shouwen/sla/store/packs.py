"""Packs that were published at run time."""

from datetime import date, datetime

import asyncpg

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.sla", "sql/packs.sql")


async def published_packs(tx: Transaction) -> list[asyncpg.Record]:
    """Every published version of every pack."""
    return await tx.fetch(QUERIES.published_packs)


async def add_pack(
    tx: Transaction,
    pack: str,
    version: int,
    *,
    branch: str | None,
    effective_from: date,
    document: str,
    revision: int,
    person: str,
) -> datetime:
    """Keep a version of a pack; the answer is when it was published."""
    return await tx.fetch_value(QUERIES.add_pack, pack, version, branch, effective_from, document, revision, person)


async def get_pack(tx: Transaction, pack: str, version: int) -> asyncpg.Record | None:
    """A published version, if the person may see it."""
    return await tx.fetch_one(QUERIES.get_pack, pack, version)
