"""Who had a case when, and the offers to hand it over."""

from uuid import UUID

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.custody import Holding, Passing
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/custody.sql")


async def pass_on(tx: Transaction, case: Case, passing: Passing) -> None:
    """End the last link of the chain, begin the next with whom the case is now, and drop an offer that stands."""
    await tx.execute(QUERIES.end_custody, case.id, passing.at)
    if passing.begins is not None:
        await tx.execute(
            QUERIES.begin_custody, case.id, case.branch, case.owner, case.department, passing.at, passing.begins
        )
    await tx.execute(QUERIES.overtake_offers, case.id, tx.now)


async def chain(tx: Transaction, case_id: UUID) -> list[Holding]:
    """Who had the case, the first one first."""
    return [
        Holding(row["person"], row["department"], row["since"], row["until"], row["how"])
        for row in await tx.fetch(QUERIES.chain, case_id)
    ]
