"""What else lies with a case and decides whether it may be answered or end."""

from collections.abc import Mapping
from uuid import UUID

from shouwen.intake.domain.dossier import Dossier, EvaluationState
from shouwen.intake.domain.life_cycle import OPEN_STATES
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/dossier.sql")


async def dossier(tx: Transaction, case_id: UUID) -> Dossier:
    """What stands beside the case now; the case itself is to be locked before."""
    row = await tx.fetch_one(QUERIES.dossier, case_id, sorted(OPEN_STATES))
    assert row is not None
    return Dossier(
        open_parts=tuple(row["open_parts"]),
        unanswered_parts=tuple(row["unanswered_parts"]),
        is_under_investigation=row["is_under_investigation"],
        is_investigated=row["is_investigated"],
        is_unexplained=row["is_unexplained"],
        is_decided=row["is_decided"],
        evaluation=_EVALUATIONS[row["evaluation"]],
        open_actions=row["open_actions"],
        open_follow_ups=row["open_follow_ups"],
    )


_EVALUATIONS: Mapping[str | None, EvaluationState] = {
    None: "none",
    "undecided": "undecided",
    "refused": "refused",
    "approved": "approved",
    "approved_with_conditions": "approved",
}
