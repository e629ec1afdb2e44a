"""What a case is shown with: how its work stands, and what lies around it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from shouwen.contracts.case import CaseState
from shouwen.intake.domain.case import Case, PauseReason, ReopenReason
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


class Around(BaseModel):
    """What lies around a case."""

    runs: list[RunShown] = Field(description="The earlier runs, the first one first")


def around_fields(around: Surroundings) -> dict[str, Any]:
    """The fields of ``Around``."""
    return {"runs": [RunShown.model_validate(each, from_attributes=True) for each in around.runs]}
