"""Who stands in for whom, and when."""

from collections.abc import Sequence
from datetime import datetime

from shouwen.contracts.directory import DelegationDescribed
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.sla", "sql/delegations.sql")


async def save_delegation(tx: Transaction, told: DelegationDescribed) -> None:
    """Keep a delegation as it was last described."""
    await tx.execute(
        QUERIES.save_delegation,
        told.delegation_id,
        told.branch,
        told.principal,
        told.delegate,
        told.starts_at,
        told.ends_at,
        told.cancelled,
    )


async def delegates_of(tx: Transaction, asked: Sequence[tuple[str, datetime]]) -> list[str | None]:
    """Who stood in for a person at an instant, for each of these."""
    owners, instants = [each[0] for each in asked], [each[1] for each in asked]
    return [row["delegate"] for row in await tx.fetch(QUERIES.delegates_of, owners, instants)]
