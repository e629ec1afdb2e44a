"""Evaluations of requests outside the contract."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from shouwen.contracts.casework import EvaluationDecision
from shouwen.intake.domain.evaluation import Level
from shouwen.intake.handlers import evaluation as handlers
from shouwen.intake.handlers.evaluation import EvaluationShown
from shouwen.intake.http.fields import REFUSED, Number, OptionalKey, Sent, Words, WorkedAnswer, optional_once
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork

EvaluationId = Annotated[UUID, Path(description="As GET /api/cases/{number}/evaluations lists them")]


class EvaluationSent(Sent):
    """What is asked outside the contract, and what it is judged by (000 §17)."""

    request: Words = Field(description="What the client asks for")
    client_value: Level
    importance: Level
    cost: Decimal = Field(ge=0, max_digits=14, decimal_places=2, description="What it would cost us, in yuan")


class EvaluationDecisionSent(Sent):
    """Whether it may be promised."""

    decision: EvaluationDecision
    price: Decimal | None = Field(
        None, ge=0, max_digits=14, decimal_places=2, description="In yuan; required for approved, 0 is free"
    )
    conditions: Words | None = Field(None, description="Required for approved_with_conditions")
    reason: Words | None = Field(None, description="Required for refused")


class EvaluationAnswer(BaseModel):
    """A request outside the contract and what was decided. Amounts in yuan."""

    id: UUID
    request: str
    client_value: Level
    importance: Level
    cost: Decimal
    requested_at: datetime
    requested_by: str
    decision: EvaluationDecision | None
    decided_at: datetime | None
    decided_by: str | None
    price: Decimal | None
    conditions: str | None
    reason: str | None

    @classmethod
    def of(cls, shown: EvaluationShown) -> "EvaluationAnswer":
        """The evaluation as it is shown."""
        one = shown.evaluation
        return cls(
            id=one.id,
            request=shown.request,
            client_value=one.client_value,
            importance=one.importance,
            cost=one.cost,
            requested_at=one.requested_at,
            requested_by=one.requested_by,
            decision=one.decision,
            decided_at=one.decided_at,
            decided_by=one.decided_by,
            price=one.price,
            conditions=shown.conditions,
            reason=shown.reason,
        )


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""

    @router.get("/cases/{number}/evaluations", tags=["casework"])
    async def list_evaluations(number: Number, caller: Caller) -> list[EvaluationAnswer]:
        """The evaluations of a case, the oldest first."""
        async with work.as_person(caller) as tx:
            shown = await handlers.show_evaluations(tx, number, protection=protection)
        return [EvaluationAnswer.of(each) for each in shown]

    @router.post("/cases/{number}/evaluations", tags=["casework"], responses=REFUSED)
    async def request_evaluation(
        number: Number, body: EvaluationSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Have a request outside the contract evaluated before anything is promised (000 §17)."""
        once = optional_once(protection, key, f"evaluation {number}", body)
        async with work.as_person(caller) as tx:
            case = await handlers.request_evaluation(
                tx,
                number,
                request=protection.keys.encrypt(body.request),
                client_value=body.client_value,
                importance=body.importance,
                cost=body.cost,
                once=once,
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/evaluations/{evaluation_id}/decision", tags=["casework"], responses=REFUSED)
    async def decide_evaluation(
        number: Number,
        evaluation_id: EvaluationId,
        body: EvaluationDecisionSent,
        caller: Caller,
        key: OptionalKey = None,
    ) -> WorkedAnswer:
        """Decide as general manager or department head, but not on one's own request."""
        once = optional_once(protection, key, f"decide {number} {evaluation_id}", body)
        async with work.as_person(caller) as tx:
            case = await handlers.decide_evaluation(
                tx,
                number,
                evaluation_id,
                decision=body.decision,
                price=body.price,
                conditions=protection.encrypt(body.conditions),
                reason=protection.encrypt(body.reason),
                once=once,
            )
        return WorkedAnswer.of(case)
