"""Event types that were registered at run time."""

from typing import Any

import asyncpg

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.sla", "sql/event_types.sql")


async def event_types(tx: Transaction, after: str = "", limit: int | None = None) -> list[asyncpg.Record]:
    """The registered types after one, each as it stands."""
    return await tx.fetch(QUERIES.event_types, after, limit)


async def add_event_type(tx: Transaction, event_type: str, revision: int, document: Any, person: str) -> None:
    """Keep an event type, or one that has more fields now."""
    await tx.execute(QUERIES.add_event_type, event_type, revision, document, person)


async def get_event_type(tx: Transaction, event_type: str) -> asyncpg.Record | None:
    """One registered type, as it stands."""
    return await tx.fetch_one(QUERIES.get_event_type, event_type)
