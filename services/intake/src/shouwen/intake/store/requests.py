"""Requests that must have their effect once."""

from uuid import UUID

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/requests.sql")


async def claim_key(tx: Transaction, *, person: str, key: str, branch: str, request_hash: str, case_id: UUID) -> bool:
    """Whether the key was free; it is taken now. Waits for another request with it to end."""
    return await tx.fetch_value(QUERIES.claim_key, person, key, branch, request_hash, case_id, tx.now) is not None


async def claimed_key(tx: Transaction, *, person: str, key: str) -> tuple[str, UUID] | None:
    """The hash of the request which took the key, and its case; None when it is another branch's."""
    row = await tx.fetch_one(QUERIES.claimed_key, person, key)
    return None if row is None else (row["request_hash"], row["case_id"])
