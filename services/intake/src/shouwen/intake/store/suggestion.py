"""Decisions on suggestions."""

from uuid import UUID

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
