"""The revision of the rules, which tells replicas when to load them anew."""

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.sla", "sql/revision.sql")


async def get_revision(tx: Transaction) -> int:
    """The revision of the rules at present."""
    return await tx.fetch_value(QUERIES.get_revision)


async def hold_revision(tx: Transaction) -> int:
    """The same, and nobody changes a rule until the transaction ends."""
    return await tx.fetch_value(QUERIES.hold_revision)


async def raise_revision(tx: Transaction) -> int:
    """The next revision; from here on nobody computes by older rules until the transaction ends."""
    return await tx.fetch_value(QUERIES.raise_revision)
