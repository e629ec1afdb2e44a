"""What a requester was given after something went wrong, and what is to follow (001 §17(三))."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from shouwen.contracts.casework import CorrectiveActionAssigned, CorrectiveActionCompleted, Remedy, RemedyRecorded
from shouwen.intake.domain.case import DIRECTORS, Actor, Case, happened_at
from shouwen.intake.domain.investigation import NotDirecting, require_future
from shouwen.runtime.errors import Forbidden, Invalid, Refused

FollowUpReason = Literal["remedy", "survey"]

SURVEY_FOLLOW_UP = timedelta(days=1)
"""How soon a dissatisfied requester is asked what is wrong, where their case cannot be taken up again (001 §20)."""


class FollowUpDone(Refused):
    """The requester was followed up already."""

    def __init__(self) -> None:
        super().__init__(field="follow_up_id", remedy="Record a new remedy if more is to follow.")


@dataclass(frozen=True, slots=True)
class GivenRemedy:
    """An apology, a compensation (in yuan, where an amount was paid) or a follow-up service, without the words."""

    id: UUID
    case_id: UUID
    branch: str
    remedy: Remedy
    amount: Decimal | None
    given_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """That somebody gets in touch with the requester again until a day, without the words."""

    id: UUID
    case_id: UUID
    branch: str
    reason: FollowUpReason
    owner: str
    due_at: datetime
    opened_at: datetime
    done_at: datetime | None = None
    done_by: str | None = None


def record(
    case: Case,
    *,
    remedy_id: UUID,
    remedy: Remedy,
    amount: Decimal | None,
    given_at: datetime | None,
    actor: Actor,
    now: datetime,
) -> tuple[GivenRemedy, RemedyRecorded]:
    """Record what was given, by who is responsible for the case or directs the branch; also after the case has ended.

    Raises:
        NotDirecting: the case is another person's.
        Invalid: an amount goes with something else than a compensation, or the time cannot be.
    """
    case.require_unmerged()
    if not actor.has_say(case):
        raise NotDirecting(case)
    if amount is not None and remedy != "compensation":
        raise Invalid(
            "Only a compensation has an amount.", field="amount", remedy="Leave it out, or record a compensation."
        )
    at = happened_at(case, given_at, field="given_at", now=now)
    return _given(case, remedy_id, remedy, amount, at, actor)


def plan_follow_up(
    case: Case, *, follow_up_id: UUID, reason: FollowUpReason, owner: str, due_at: datetime, now: datetime
) -> tuple[FollowUp, CorrectiveActionAssigned]:
    """Have somebody get in touch with the requester again; they are told as of anything they have to put right.

    Raises:
        Invalid: the day is not in the future.
    """
    require_future(due_at, now=now)
    planned = FollowUp(
        id=follow_up_id,
        case_id=case.id,
        branch=case.branch,
        reason=reason,
        owner=owner,
        due_at=due_at,
        opened_at=now,
    )
    fact = CorrectiveActionAssigned(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        action_id=planned.id,
        assigned_at=now,
        owner=owner,
        due_at=due_at,
    )
    return planned, fact


def follow_up(
    case: Case, planned: FollowUp, *, remedy_id: UUID, actor: Actor, now: datetime
) -> tuple[FollowUp, GivenRemedy, tuple[RemedyRecorded, CorrectiveActionCompleted]]:
    """Record that the requester was followed up: a follow-up service was given, and nothing is left to do.

    Raises:
        FollowUpDone: it was before.
        Forbidden: it is another person's.
    """
    if planned.done_at is not None:
        raise FollowUpDone
    if actor.person != planned.owner and not actor.has_say(case):
        raise Forbidden(
            f"This follow-up is for {planned.owner}.",
            field="owner",
            remedy=f"Ask them, or somebody of the branch with one of the roles {', '.join(DIRECTORS)}.",
        )
    given, fact = _given(case, remedy_id, "follow_up_service", None, now, actor)
    completed = CorrectiveActionCompleted(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        action_id=planned.id,
        completed_at=now,
        completed_by=actor.person,
    )
    return replace(planned, done_at=now, done_by=actor.person), given, (fact, completed)


def _given(
    case: Case, remedy_id: UUID, remedy: Remedy, amount: Decimal | None, at: datetime, actor: Actor
) -> tuple[GivenRemedy, RemedyRecorded]:
    given = GivenRemedy(
        id=remedy_id,
        case_id=case.id,
        branch=case.branch,
        remedy=remedy,
        amount=amount,
        given_at=at,
        recorded_by=actor.person,
    )
    fact = RemedyRecorded(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        given_at=at,
        remedy=remedy,
        recorded_by=actor.person,
    )
    return given, fact
