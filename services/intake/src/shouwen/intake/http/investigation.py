"""Investigations: opening one, its facts, finding and ruling, explanations, and what is put right."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from shouwen.contracts.casework import Finding
from shouwen.contracts.event import Identifier, Instant
from shouwen.intake.domain.investigation import Stage
from shouwen.intake.handlers import investigation as handlers
from shouwen.intake.handlers.investigation import InvestigationShown
from shouwen.intake.http.fields import REFUSED, Number, OptionalKey, Sent, Words, WorkedAnswer, optional_once
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork

ActionId = Annotated[UUID, Path(description="As GET /api/cases/{number}/investigations lists them")]


class InvestigationSent(Sent):
    """Who investigates, and whom the complaint is about."""

    investigator: Identifier = Field(description="A person of the branch whom the complaint is not about")
    complained_of: list[Identifier] = Field(
        default=[], max_length=50, description="Persons whom the complaint is about; who is named once stays named"
    )


class FactsSent(Sent):
    """What the investigator found out."""

    text: Words


class FindingSent(Sent):
    """What the investigator came to."""

    finding: Finding
    reasoning: Words = Field(description="Why, by the facts and the rules of the company (002 七(四)3)")


class RulingSent(Sent):
    """The ruling of a second person."""

    finding: Finding = Field(description="The finding that is approved, as it was read")
    ruling: Words = Field(description="What follows from it")


class ExplanationSent(Sent):
    """What the client was told about what we did not cause (000 §18)."""

    explanation: Words
    help_offered: Words = Field(description="What help, remedy or solution was offered, as far as possible")


class ActionSent(Sent):
    """What somebody has to put right."""

    task: Words
    owner: Identifier = Field(description="Who puts it right, a person of the branch")
    due_at: Instant = Field(description="Until when")


class OutcomeSent(Sent):
    """How it was put right."""

    outcome: Words | None = None


class FactAnswer(BaseModel):
    """What the investigator found out."""

    time: datetime
    by: str
    text: str | None = Field(description="Null for who may not read it")


class ActionAnswer(BaseModel):
    """What somebody has to put right."""

    id: UUID
    task: str | None = Field(description="Null for who may not read it")
    owner: str
    due_at: datetime
    assigned_at: datetime
    assigned_by: str
    completed_at: datetime | None
    completed_by: str | None
    outcome: str | None


class InvestigationAnswer(BaseModel):
    """One round of an investigation. Each answer that shows facts is recorded as a look."""

    round: int
    stage: Stage
    investigator: str
    complained_of: list[str] = Field(description="They have no part in the investigation, and may not read it")
    opened_at: datetime
    opened_by: str
    facts: list[FactAnswer]
    finding: Finding | None
    found_at: datetime | None
    reasoning: str | None
    approved_at: datetime | None
    approved_by: str | None
    ruling: str | None
    explained_at: datetime | None
    explained_by: str | None
    explanation: str | None
    help_offered: str | None
    actions: list[ActionAnswer]
    masked: bool = Field(description="Whether what was written down is left out of this answer")

    @classmethod
    def of(cls, shown: InvestigationShown) -> "InvestigationAnswer":
        """The round as it is shown."""
        one = shown.investigation
        return cls(
            round=one.round,
            stage=one.stage,
            investigator=one.investigator,
            complained_of=sorted(one.complained_of),
            opened_at=one.opened_at,
            opened_by=one.opened_by,
            facts=[FactAnswer(time=fact.at, by=fact.by, text=fact.text) for fact in shown.facts],
            finding=one.finding,
            found_at=one.found_at,
            reasoning=shown.reasoning,
            approved_at=one.approved_at,
            approved_by=one.approved_by,
            ruling=shown.ruling,
            explained_at=one.explained_at,
            explained_by=one.explained_by,
            explanation=shown.explanation,
            help_offered=shown.help_offered,
            actions=[
                ActionAnswer(
                    id=each.action.id,
                    task=each.task,
                    owner=each.action.owner,
                    due_at=each.action.due_at,
                    assigned_at=each.action.assigned_at,
                    assigned_by=each.action.assigned_by,
                    completed_at=each.action.completed_at,
                    completed_by=each.action.completed_by,
                    outcome=each.outcome,
                )
                for each in shown.actions
            ],
            masked=not shown.is_readable,
        )


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""
    _add_inquiry(router, work, protection)
    _add_consequences(router, work, protection)


def _add_inquiry(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.get("/cases/{number}/investigations", tags=["casework"])
    async def list_investigations(number: Number, caller: Caller) -> list[InvestigationAnswer]:
        """The investigations of a case, the latest round first."""
        async with work.as_person(caller) as tx:
            rounds = await handlers.show_investigations(tx, number, protection=protection)
        return [InvestigationAnswer.of(each) for each in rounds]

    @router.post("/cases/{number}/investigation", tags=["casework"], responses=REFUSED)
    async def open_investigation(
        number: Number, body: InvestigationSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Open an investigation of a complaint or report; while one is open, change who investigates (002 七(四)3)."""
        once = optional_once(protection, key, f"investigation {number}", body)
        async with work.as_person(caller) as tx:
            case = await handlers.appoint(
                tx, number, investigator=body.investigator, complained_of=body.complained_of, once=once
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/investigation/facts", tags=["casework"], responses=REFUSED)
    async def record_facts(number: Number, body: FactsSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Write down what was found out, as the investigator."""
        once = optional_once(protection, key, f"facts {number}", body)
        words = protection.keys.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await handlers.record_facts(tx, number, words=words, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/investigation/finding", tags=["casework"], responses=REFUSED)
    async def record_finding(
        number: Number, body: FindingSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Record what the investigator came to; it stands once it is approved."""
        once = optional_once(protection, key, f"finding {number}", body)
        reasoning = protection.keys.encrypt(body.reasoning)
        async with work.as_person(caller) as tx:
            case = await handlers.find(tx, number, finding=body.finding, reasoning=reasoning, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/investigation/ruling", tags=["casework"], responses=REFUSED)
    async def approve_ruling(number: Number, body: RulingSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Approve the finding and rule, as a second person with a directing role whom the complaint is not about."""
        once = optional_once(protection, key, f"ruling {number}", body)
        ruling = protection.keys.encrypt(body.ruling)
        async with work.as_person(caller) as tx:
            case = await handlers.approve(
                tx, number, finding=body.finding, ruling=ruling, protection=protection, once=once
            )
        return WorkedAnswer.of(case)


def _add_consequences(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.post("/cases/{number}/investigation/explanation", tags=["casework"], responses=REFUSED)
    async def record_explanation(
        number: Number, body: ExplanationSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Record the explanation and the help offered for what we did not cause: required before the end (000 §18)."""
        once = optional_once(protection, key, f"explanation {number}", body)
        explanation, help_offered = (
            protection.keys.encrypt(body.explanation),
            protection.keys.encrypt(body.help_offered),
        )
        async with work.as_person(caller) as tx:
            case = await handlers.explain(tx, number, explanation=explanation, help_offered=help_offered, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/investigation/actions", tags=["casework"], responses=REFUSED)
    async def assign_action(number: Number, body: ActionSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """After the ruling, give somebody something to put right until a day; it may be done after the case's end."""
        once = optional_once(protection, key, f"action {number}", body)
        task = protection.keys.encrypt(body.task)
        async with work.as_person(caller) as tx:
            case = await handlers.assign_action(tx, number, owner=body.owner, due_at=body.due_at, task=task, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/investigation/actions/{action_id}/complete", tags=["casework"], responses=REFUSED)
    async def complete_action(
        number: Number, action_id: ActionId, body: OutcomeSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Record that it was put right."""
        once = optional_once(protection, key, f"complete {number} {action_id}", body)
        outcome = protection.encrypt(body.outcome)
        async with work.as_person(caller) as tx:
            case = await handlers.complete_action(tx, number, action_id, outcome=outcome, once=once)
        return WorkedAnswer.of(case)
