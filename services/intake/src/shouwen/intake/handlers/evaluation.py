"""Evaluations of requests outside the contract."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from shouwen.contracts.casework import EvaluationDecision
from shouwen.intake.domain import evaluation as rules
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.evaluation import Evaluation, Level
from shouwen.intake.handlers.shared import NoSuchCase, Once, actor_of, claim, locked, tell
from shouwen.intake.store import cases
from shouwen.intake.store import evaluation as store
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import NotFound
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction


class NoSuchEvaluation(NotFound):
    """The case has no such evaluation."""

    def __init__(self) -> None:
        super().__init__(field="evaluation_id", remedy="GET /api/cases/{number}/evaluations lists them.")


@dataclass(frozen=True, slots=True)
class EvaluationShown:
    """An evaluation with its words."""

    evaluation: Evaluation
    request: str
    conditions: str | None
    reason: str | None


async def request_evaluation(
    tx: Transaction,
    number: str,
    *,
    request: bytes,
    client_value: Level,
    importance: Level,
    cost: Decimal,
    once: Once | None = None,
) -> Case:
    """Put a request outside the contract before the responsible body.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    evaluation, fact = rules.request(
        case,
        has_undecided=await store.has_undecided(tx, case.id),
        evaluation_id=new_id(tx.now),
        client_value=client_value,
        importance=importance,
        cost=cost,
        actor=actor_of(tx),
        now=tx.now,
    )
    await store.add_evaluation(tx, evaluation, request)
    await tell(tx, case, "request evaluation", fact)
    return case


async def decide_evaluation(
    tx: Transaction,
    number: str,
    evaluation_id: UUID,
    *,
    decision: EvaluationDecision,
    price: Decimal | None,
    conditions: bytes | None,
    reason: bytes | None,
    once: Once | None = None,
) -> Case:
    """Decide whether it may be promised.

    Raises:
        NoSuchCase, NoSuchEvaluation, Forbidden, Invalid, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    evaluation = await store.evaluation(tx, case.id, evaluation_id)
    if evaluation is None:
        raise NoSuchEvaluation
    decided, fact = rules.decide(
        case,
        evaluation,
        decision=decision,
        price=price,
        has_conditions=conditions is not None,
        has_reason=reason is not None,
        actor=actor_of(tx),
        now=tx.now,
    )
    await store.decide_evaluation(tx, decided, conditions=conditions, reason=reason)
    await tell(tx, case, "decide evaluation", fact)
    return case


async def show_evaluations(tx: Transaction, number: str, *, protection: Protection) -> list[EvaluationShown]:
    """The evaluations of a case, the oldest first.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    return [
        EvaluationShown(
            evaluation=each.evaluation,
            request=protection.keys.decrypt(each.request),
            conditions=protection.decrypt(each.conditions),
            reason=protection.decrypt(each.reason),
        )
        for each in await store.evaluations(tx, filed.case.id)
    ]
