"""How often the public asked: counted in the database, so that it holds for all replicas together."""

from collections.abc import Iterable
from datetime import datetime

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/attempts.sql")


async def count_attempts(tx: Transaction, buckets: Iterable[str], *, began_at: datetime) -> dict[str, int]:
    """Count one more attempt in each bucket of the window; how many there are now."""
    rows = await tx.fetch(QUERIES.count_attempts, sorted(set(buckets)), began_at)
    return {row["bucket"]: row["attempts"] for row in rows}


async def forgive_attempt(tx: Transaction, bucket: str, *, began_at: datetime) -> None:
    """Take one attempt back."""
    await tx.execute(QUERIES.forgive_attempt, bucket, began_at)


async def forget_attempts(tx: Transaction, *, before: datetime) -> None:
    """Remove windows that are over."""
    await tx.execute(QUERIES.forget_attempts, before)
