"""Requests outside the contract: judged by the responsible body before anything is promised (000 §17; 001 §8)."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from shouwen.contracts.casework import EvaluationDecided, EvaluationDecision, EvaluationRequested
from shouwen.intake.domain.case import Actor, Case
from shouwen.intake.domain.investigation import NotDirecting
from shouwen.runtime.errors import Forbidden, Invalid, Refused

Level = Literal["high", "medium", "low"]

DECIDERS = ("general_manager", "department_head")
"""The responsible body: who decides about what the contract does not hold."""


class NotOpen(Refused):
    """The case has ended, so nothing is to be promised in it."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is {case.state}: there is nothing left to promise in it.",
            field="state",
            remedy=f"Take it up again first: POST /api/cases/{case.number}/reopen.",
        )


class AlreadyAsked(Refused):
    """An evaluation of this case is not decided yet."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"An evaluation of case {case.number} waits for its decision.",
            field="evaluation",
            remedy=f"Have it decided first: GET /api/cases/{case.number}/evaluations shows it.",
        )


class AlreadyDecided(Refused):
    """The evaluation was decided already."""

    def __init__(self) -> None:
        super().__init__(field="evaluation_id", remedy="Ask for a new evaluation if the request has changed.")


class NotDecider(Forbidden):
    """Somebody of the responsible body decides, and not whoever asked."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            detail,
            field="decided_by",
            remedy=f"Another person of the branch decides, with one of the roles {', '.join(DECIDERS)}.",
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is asked outside the contract and what speaks for it, without the words. Amounts in yuan."""

    id: UUID
    case_id: UUID
    branch: str
    client_value: Level
    importance: Level
    cost: Decimal
    requested_at: datetime
    requested_by: str
    decision: EvaluationDecision | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    price: Decimal | None = None


def request(
    case: Case,
    *,
    has_undecided: bool,
    evaluation_id: UUID,
    client_value: Level,
    importance: Level,
    cost: Decimal,
    actor: Actor,
    now: datetime,
) -> tuple[Evaluation, EvaluationRequested]:
    """Put a request outside the contract before the responsible body.

    Raises:
        NotOpen, NotDirecting, AlreadyAsked: what stands against it.
    """
    case.require_unmerged()
    if not case.is_open:
        raise NotOpen(case)
    if not actor.has_say(case):
        raise NotDirecting(case)
    if has_undecided:
        raise AlreadyAsked(case)
    evaluation = Evaluation(
        id=evaluation_id,
        case_id=case.id,
        branch=case.branch,
        client_value=client_value,
        importance=importance,
        cost=cost,
        requested_at=now,
        requested_by=actor.person,
    )
    fact = EvaluationRequested(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        evaluation_id=evaluation.id,
        requested_at=now,
        requested_by=actor.person,
    )
    return evaluation, fact


def decide(
    case: Case,
    evaluation: Evaluation,
    *,
    decision: EvaluationDecision,
    price: Decimal | None,
    has_conditions: bool,
    has_reason: bool,
    actor: Actor,
    now: datetime,
) -> tuple[Evaluation, EvaluationDecided]:
    """Decide whether it may be promised: an approval carries a price or conditions, a refusal its reason.

    Raises:
        AlreadyDecided, NotDecider: what stands against it.
        Invalid: the approval has neither price nor conditions, or the refusal no reason.
    """
    if evaluation.decision is not None:
        raise AlreadyDecided
    if case.branch not in actor.branches or actor.roles.isdisjoint(DECIDERS):
        raise NotDecider("A request outside the contract is decided by the responsible body.")
    if actor.person == evaluation.requested_by:
        raise NotDecider("Whoever asked for the evaluation does not decide it.")
    _require_terms(decision, price=price, has_conditions=has_conditions, has_reason=has_reason)
    changed = replace(evaluation, decision=decision, decided_at=now, decided_by=actor.person, price=price)
    fact = EvaluationDecided(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        evaluation_id=evaluation.id,
        decided_at=now,
        decision=decision,
        decided_by=actor.person,
        owner=case.owner,
    )
    return changed, fact


def _require_terms(
    decision: EvaluationDecision, *, price: Decimal | None, has_conditions: bool, has_reason: bool
) -> None:
    match decision:
        case "approved" if price is None:
            raise Invalid(
                "An approval without conditions names its price (000 §17).",
                field="price",
                remedy="Give the price in yuan, 0 if it is free; or approve with conditions.",
            )
        case "approved_with_conditions" if not has_conditions:
            raise Invalid(
                "An approval with conditions names them (000 §17).", field="conditions", remedy="Write them down."
            )
        case "refused" if not has_reason:
            raise Invalid("A refusal says why.", field="reason", remedy="Write down why.")
        case "refused" if price is not None or has_conditions:
            raise Invalid(
                "What is refused has neither price nor conditions.",
                field="price" if price is not None else "conditions",
                remedy="Leave it out, or approve.",
            )
        case _:
            pass
