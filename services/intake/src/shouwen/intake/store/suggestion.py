"""What suggestions are about, and decisions on them."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.suggestion import Decision
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/suggestion.sql")


async def add_decision(tx: Transaction, decision: Decision, reason: bytes) -> None:
    """Keep whether a suggestion is adopted, for ever."""
    await tx.execute(
        QUERIES.add_decision,
        decision.case_id,
        decision.branch,
        decision.adopted,
        reason,
        decision.decided_at,
        decision.decided_by,
        decision.sent_at,
    )


async def decision(tx: Transaction, case_id: UUID) -> tuple[Decision, bytes] | None:
    """What was decided about a suggestion, and the reason, encrypted."""
    row = await tx.fetch_one(QUERIES.decision, case_id)
    if row is None:
        return None
    decided = Decision(
        case_id=case_id,
        branch=row["branch"],
        adopted=row["adopted"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        sent_at=row["sent_at"],
    )
    return decided, row["reason"]


async def save_category(tx: Transaction, case: Case, category: str, *, person: str) -> None:
    """Keep what a suggestion is about."""
    await tx.execute(QUERIES.save_category, case.id, case.branch, category, tx.now, person)


async def categories(tx: Transaction, case_ids: Iterable[UUID]) -> Mapping[UUID, str]:
    """What suggestions are about, those that were sorted."""
    rows = await tx.fetch(QUERIES.categories, list(case_ids))
    return {UUID(int=row["case_id"].int): row["category"] for row in rows}
