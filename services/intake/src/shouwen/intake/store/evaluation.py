"""Evaluations of requests outside the contract."""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

import asyncpg

from shouwen.intake.domain.evaluation import Evaluation
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/evaluation.sql")


@dataclass(frozen=True, slots=True)
class WrittenEvaluation:
    """An evaluation with its words, encrypted."""

    evaluation: Evaluation
    request: bytes
    conditions: bytes | None
    reason: bytes | None


async def add_evaluation(tx: Transaction, evaluation: Evaluation, request: bytes) -> None:
    """Keep a request outside the contract."""
    await tx.execute(
        QUERIES.add_evaluation,
        evaluation.id,
        evaluation.case_id,
        evaluation.branch,
        request,
        evaluation.client_value,
        evaluation.importance,
        evaluation.cost,
        evaluation.requested_at,
        evaluation.requested_by,
    )


async def evaluations(tx: Transaction, case_id: UUID) -> list[WrittenEvaluation]:
    """The evaluations of a case, the oldest first."""
    return [
        WrittenEvaluation(
            evaluation=_evaluation(row), request=row["request"], conditions=row["conditions"], reason=row["reason"]
        )
        for row in await tx.fetch(QUERIES.evaluations, case_id)
    ]


async def evaluation(tx: Transaction, case_id: UUID, evaluation_id: UUID) -> Evaluation | None:
    """One evaluation of this case."""
    row = await tx.fetch_one(QUERIES.evaluation, case_id, evaluation_id)
    return None if row is None else _evaluation(row)


async def has_undecided(tx: Transaction, case_id: UUID) -> bool:
    """Whether an evaluation of the case waits for its decision."""
    return cast(bool, await tx.fetch_value(QUERIES.has_undecided, case_id))


async def decide_evaluation(
    tx: Transaction, evaluation: Evaluation, *, conditions: bytes | None, reason: bytes | None
) -> None:
    """Keep the decision."""
    await tx.execute(
        QUERIES.decide_evaluation,
        evaluation.id,
        evaluation.decision,
        evaluation.decided_at,
        evaluation.decided_by,
        evaluation.price,
        conditions,
        reason,
    )


def _evaluation(row: asyncpg.Record) -> Evaluation:
    return Evaluation(
        id=UUID(int=row["id"].int),
        case_id=UUID(int=row["case_id"].int),
        branch=row["branch"],
        client_value=row["client_value"],
        importance=row["importance"],
        cost=row["cost"],
        requested_at=row["requested_at"],
        requested_by=row["requested_by"],
        decision=row["decision"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        price=row["price"],
    )
