"""How satisfied requesters are with what became of their matter (001 §21), and what follows when they are not."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal
from uuid import UUID

from shouwen.contracts.case import CaseState
from shouwen.contracts.casework import SurveyAnswered, SurveyInvited
from shouwen.intake.domain.case import Actor, Case
from shouwen.intake.domain.investigation import NotDirecting
from shouwen.runtime.errors import Forbidden, NotFound, Refused

Outcome = Literal["nothing", "reopened", "follow_up"]

SURVEYED: frozenset[CaseState] = frozenset({"resolved", "closed"})
"""States after which a requester is asked; who withdrew a matter is not."""

DISSATISFIED = frozenset({1, 2})
"""Scores that lead to something: the case is taken up again, or somebody follows up."""


class NotEnded(Refused):
    """Only after the end of a case its requester is asked."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is {case.state}: its requester is asked once it is resolved.",
            field="state",
            remedy=f"Resolve it first: POST /api/cases/{case.number}/resolve.",
        )


class AlreadyInvited(Refused):
    """The requester was asked already, and may still answer."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"The requester of case {case.number} was asked already since it ended.",
            field="survey",
            remedy=f"GET /api/cases/{case.number}/surveys shows when, and what they answered.",
        )


class NoAddress(Refused):
    """The requester left no e-mail address to send a link to."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"The requester of case {case.number} left no e-mail address for the link.",
            field="requester.email",
            remedy=f"Ask them in person and record it: POST /api/cases/{case.number}/survey/answer.",
        )


class OwnSurvey(Forbidden):
    """Whoever answered for the case does not record how satisfied its requester is."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"{case.owner} was responsible for case {case.number} and does not record how satisfied its requester is.",
            field="owner",
            remedy="A colleague asks the requester, or the link is sent to them.",
        )


class BadLink(NotFound):
    """This link leads to no survey."""

    def __init__(self) -> None:
        super().__init__(field="token", remedy="Open the link from the message unchanged, to its last character.")


class SurveyUsed(Refused):
    """This survey was answered already; its link works once."""

    def __init__(self) -> None:
        super().__init__(
            field="token", remedy="Thank you for your answer. If there is more to say, call the person responsible."
        )


class SurveyExpired(Refused):
    """The time to answer this survey is over."""

    status: ClassVar[int] = 410
    title: ClassVar[str] = "Gone"

    def __init__(self) -> None:
        super().__init__(field="token", remedy="Call the person responsible; they take your opinion down.")


@dataclass(frozen=True, slots=True)
class Survey:
    """One question to a requester, and the answer's score, without the words."""

    id: UUID
    case_id: UUID
    branch: str
    invited_at: datetime
    invited_by: str
    expires_at: datetime
    answered_at: datetime | None = None
    score: int | None = None
    led_to: Outcome | None = None


def invite(
    case: Case,
    latest: Survey | None,
    *,
    survey_id: UUID,
    has_address: bool,
    valid_for: timedelta,
    actor: Actor,
    now: datetime,
) -> tuple[Survey, SurveyInvited]:
    """Ask the requester of an ended case how satisfied they are; once for each end of the case.

    Raises:
        NotEnded, NotDirecting, AlreadyInvited, NoAddress: what stands against it.
    """
    _require_ended(case)
    if not actor.has_say(case):
        raise NotDirecting(case)
    if latest is not None and _is_of_this_end(case, latest) and not _is_lapsed(latest, now):
        raise AlreadyInvited(case)
    if not has_address:
        raise NoAddress(case)
    survey = Survey(
        id=survey_id,
        case_id=case.id,
        branch=case.branch,
        invited_at=now,
        invited_by=actor.person,
        expires_at=now + valid_for,
    )
    fact = SurveyInvited(branch=case.branch, case_id=case.id, number=case.number, survey_id=survey.id, invited_at=now)
    return survey, fact


def is_asked_by_itself(case: Case, latest: Survey | None) -> bool:
    """Whether a requester whom nobody asked since the case ended is to be asked without a person's doing.

    Whoever's complaint two persons found to be untrue is not asked how satisfied they are (002 七(二)).
    """
    if case.state not in SURVEYED or case.parent_id is not None or case.found_malicious_at is not None:
        return False
    return latest is None or not _is_of_this_end(case, latest)


def take_down(
    case: Case, latest: Survey | None, *, survey_id: UUID, score: int, actor: Actor, now: datetime
) -> tuple[Survey, SurveyAnswered]:
    """Record what a requester said in person, on a visit, by letter or at a meeting, to somebody else than the owner.

    Raises:
        NotEnded, OwnSurvey, AlreadyInvited: what stands against it.
    """
    _require_ended(case)
    if actor.person == case.owner:
        raise OwnSurvey(case)
    asked = latest if latest is not None and _is_of_this_end(case, latest) else None
    if asked is None:
        asked = Survey(
            id=survey_id,
            case_id=case.id,
            branch=case.branch,
            invited_at=now,
            invited_by=actor.person,
            expires_at=now,
        )
    elif asked.answered_at is not None:
        raise AlreadyInvited(case)
    return _answered(case, asked, score, now)


def answer(case: Case, survey: Survey, *, score: int, now: datetime) -> tuple[Survey, SurveyAnswered]:
    """Record what the requester answered.

    Raises:
        SurveyUsed, SurveyExpired: what stands against it.
    """
    require_answerable(survey, now=now)
    return _answered(case, survey, score, now)


def require_answerable(survey: Survey, *, now: datetime) -> None:
    """Raise SurveyUsed or SurveyExpired when the link no longer works."""
    if survey.answered_at is not None:
        raise SurveyUsed
    if survey.expires_at <= now:
        raise SurveyExpired


def _require_ended(case: Case) -> None:
    case.require_unmerged()
    if case.state not in SURVEYED:
        raise NotEnded(case)


def _is_of_this_end(case: Case, survey: Survey) -> bool:
    return case.ended_at is not None and survey.invited_at >= case.ended_at


def _is_lapsed(survey: Survey, now: datetime) -> bool:
    return survey.answered_at is None and survey.expires_at <= now


def _answered(case: Case, survey: Survey, score: int, now: datetime) -> tuple[Survey, SurveyAnswered]:
    fact = SurveyAnswered(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        survey_id=survey.id,
        answered_at=now,
        score=score,
    )
    return replace(survey, answered_at=now, score=score), fact
