"""What a case is shown with: how its work stands, and what lies around it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shouwen.contracts.case import CaseState, CaseType
from shouwen.intake.domain.case import Case, PauseReason, ReopenReason
from shouwen.intake.domain.malicious import FindingState
from shouwen.intake.domain.numbering import number_of_parent
from shouwen.intake.handlers.surroundings import Surroundings


class PauseShown(BaseModel):
    """For whom the work waits."""

    reason: PauseReason
    since: datetime
    expected_until: datetime | None


class RunShown(BaseModel):
    """An earlier run of a case that was taken up again."""

    cycle: int
    state: CaseState
    owner: str
    department: str | None
    promised_at: datetime | None
    acknowledged_at: datetime | None
    replied_at: datetime | None
    plan_delivered_at: datetime | None
    found_malicious_at: datetime | None
    ended_at: datetime | None
    reopened_at: datetime
    reopened_by: str
    reason: ReopenReason


class Course(BaseModel):
    """How the work on a case stands."""

    acknowledged_at: datetime | None
    pause: PauseShown | None
    cycle: int = Field(description="The how manieth run it is; a case that is taken up again begins the next")
    found_malicious_at: datetime | None = Field(description="When two persons had found it malicious (002 七(二))")
    parent: str | None = Field(description="Of a part: the number of the case that was split")
    merged_into: str | None = Field(description="The number of the case in which the matter goes on")


def course_fields(case: Case) -> dict[str, Any]:
    """The fields of ``Course``."""
    return {
        "acknowledged_at": case.acknowledged_at,
        "pause": case.pause
        and PauseShown(reason=case.pause.reason, since=case.pause.paused_at, expected_until=case.pause.expected_until),
        "cycle": case.cycle,
        "found_malicious_at": case.found_malicious_at,
        "parent": number_of_parent(case.number),
        "merged_into": case.merged_into_number,
    }


class AnswerShown(BaseModel):
    """What a part was answered with."""

    time: datetime
    by: str
    text: str


class PartShown(BaseModel):
    """A part of a split case."""

    id: UUID
    number: str
    type: CaseType
    state: CaseState
    department: str | None
    owner: str
    subject: str
    replied_at: datetime | None
    ended_at: datetime | None
    answers: list[AnswerShown]


class MaliciousShown(BaseModel):
    """What one person holds the complaint to be, and what a second person made of it."""

    state: FindingState
    proposed_by: str
    proposed_at: datetime
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    decision: str | None


class Around(BaseModel):
    """What lies around a case."""

    runs: list[RunShown] = Field(description="The earlier runs, the first one first")
    parts: list[PartShown] = Field(description="What it was split into, with the answers of each part")
    links: list[str] = Field(description="The numbers of cases that are near to it")
    merged: list[str] = Field(description="The numbers of cases that were merged into it")
    malicious: list[MaliciousShown] = Field(description="Findings proposed, confirmed and rejected (002 七(二))")
    score: int | None = Field(description="How satisfied the requester was when last asked, from 1 to 5 (001 §21)")
    category: str | None = Field(description="What a suggestion is about, as somebody sorted it (002 七(四)2)")


def around_fields(around: Surroundings) -> dict[str, Any]:
    """The fields of ``Around``."""
    return {
        "runs": [RunShown.model_validate(each, from_attributes=True) for each in around.runs],
        "parts": [
            PartShown(
                id=each.case.id,
                number=each.case.number,
                type=each.case.type,
                state=each.case.state,
                department=each.case.department,
                owner=each.case.owner,
                subject=each.subject,
                replied_at=each.case.replied_at,
                ended_at=each.case.ended_at,
                answers=[AnswerShown(time=answer.at, by=answer.by, text=answer.text) for answer in each.answers],
            )
            for each in around.parts
        ],
        "links": list(around.relatives.links),
        "merged": list(around.relatives.merged),
        "malicious": [
            MaliciousShown(
                state=each.proposal.state,
                proposed_by=each.proposal.proposed_by,
                proposed_at=each.proposal.proposed_at,
                reason=each.reason,
                decided_by=each.proposal.decided_by,
                decided_at=each.proposal.decided_at,
                decision=each.decision,
            )
            for each in around.malicious
        ],
        "score": around.score,
        "category": around.category,
    }
