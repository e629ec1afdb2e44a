"""The investigation of a complaint: by whom, what was found, who ruled, what is put right (002 七(四)3; 001 §23).

The person complained of neither investigates nor approves; whoever approves is not the investigator.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shouwen.contracts.case import CaseType
from shouwen.contracts.casework import (
    CorrectiveActionAssigned,
    CorrectiveActionCompleted,
    Finding,
    FindingRecorded,
    InvestigationOpened,
    RulingApproved,
)
from shouwen.intake.domain.case import DIRECTORS, Actor, Case
from shouwen.intake.domain.life_cycle import OPEN_STATES
from shouwen.runtime.errors import Forbidden, Invalid, Refused

Stage = Literal["open", "found", "ruled"]

INVESTIGATED: frozenset[CaseType] = frozenset({"complaint", "report"})
"""Kinds of matters that complain of somebody."""


class NotInvestigated(Refused):
    """Only an open complaint or report is investigated."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is a {case.type} and {case.state}: only an open complaint or report is investigated.",
            field="type" if case.type not in INVESTIGATED else "state",
            remedy="Correct the kind of the case, or register what is complained of as a case of its own.",
        )


class NoInvestigation(Refused):
    """The case has no investigation."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} has no investigation.",
            field="investigation",
            remedy=f"Open one: POST /api/cases/{case.number}/investigation.",
        )


class AlreadyRuled(Refused):
    """The investigation is over: its ruling was approved."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"The ruling on case {case.number} was approved: the investigation is over.",
            field="investigation",
            remedy=f"If there is something new, open another round: POST /api/cases/{case.number}/investigation.",
        )


class NotRuled(Refused):
    """No ruling was approved yet."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"No ruling on case {case.number} was approved yet.",
            field="investigation",
            remedy=f"A second person approves the finding first: POST /api/cases/{case.number}/investigation/ruling.",
        )


class ComplainedOf(Forbidden):
    """The complaint is about this person, who therefore has no part in its investigation."""

    def __init__(self, case: Case, person: str, *, field: str) -> None:
        super().__init__(
            f"Case {case.number} complains of {person}, who has no part in its investigation.",
            field=field,
            remedy="Somebody the complaint is not about does this.",
        )


class NotInvestigator(Forbidden):
    """Only the investigator writes down facts and finding."""

    def __init__(self, investigation: "Investigation") -> None:
        super().__init__(
            f"This is for the investigator, {investigation.investigator}.",
            field="investigator",
            remedy="Ask them, or have another investigator appointed.",
        )


class NotDirecting(Forbidden):
    """This is for the person responsible for the case, or for somebody who directs the branch's work."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"This is for {case.owner}, who is responsible for case {case.number}, or for who directs its branch.",
            field="roles",
            remedy=f"Ask them, or somebody of the branch with one of the roles {', '.join(DIRECTORS)}.",
        )


class NotApprover(Forbidden):
    """A second person with a directing role approves."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            detail,
            field="approved_by",
            remedy=f"Another person of the branch approves, with one of the roles {', '.join(DIRECTORS)}.",
        )


class NoFacts(Refused):
    """A finding needs facts."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"The investigation of case {case.number} has no facts yet, so there is nothing to find.",
            field="facts",
            remedy=f"Write them down first: POST /api/cases/{case.number}/investigation/facts.",
        )


class NoFinding(Refused):
    """There is no such finding to approve."""

    def __init__(self, case: Case, finding: Finding | None) -> None:
        super().__init__(
            f"The investigator of case {case.number} has come to no finding yet."
            if finding is None
            else f"The finding on case {case.number} is {finding} now.",
            field="finding",
            remedy="Read the investigation again, and approve the finding that stands.",
        )


class NothingToExplain(Refused):
    """Only what was not caused by us is explained away."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"The finding on case {case.number} is not that we did not cause it.",
            field="finding",
            remedy=f"Answer the requester: POST /api/cases/{case.number}/reply.",
        )


class ActionDone(Refused):
    """The corrective action is completed already."""

    def __init__(self) -> None:
        super().__init__(field="action_id", remedy="Assign a new action if more is to be put right.")


@dataclass(frozen=True, slots=True)
class Investigation:
    """One round of the investigation of a case, without the words that were written down."""

    case_id: UUID
    branch: str
    round: int
    investigator: str
    complained_of: frozenset[str]
    opened_at: datetime
    opened_by: str
    finding: Finding | None = None
    found_at: datetime | None = None
    approved_at: datetime | None = None
    approved_by: str | None = None
    explained_at: datetime | None = None
    explained_by: str | None = None

    @property
    def stage(self) -> Stage:
        """How far it is."""
        if self.approved_at is not None:
            return "ruled"
        return "open" if self.finding is None else "found"

    def is_readable_by(self, actor: Actor, case: Case) -> bool:
        """Whether the actor may read what was written down: investigator, owner, who directs; never who it is about."""
        if actor.person in self.complained_of:
            return False
        return actor.person == self.investigator or actor.has_say(case)


@dataclass(frozen=True, slots=True)
class CorrectiveAction:
    """What somebody has to put right, without the words."""

    id: UUID
    case_id: UUID
    branch: str
    round: int
    owner: str
    due_at: datetime
    assigned_at: datetime
    assigned_by: str
    completed_at: datetime | None = None
    completed_by: str | None = None


def appoint(
    case: Case,
    latest: Investigation | None,
    *,
    investigator: str,
    complained_of: Iterable[str],
    actor: Actor,
    now: datetime,
) -> tuple[Investigation, InvestigationOpened | None]:
    """Open an investigation, or change an open one: its investigator, and who else is complained of.

    A finding of a former investigator does not stand. Who is complained of stays so.

    Raises:
        NotInvestigated, NotDirecting, ComplainedOf: what stands against it.
    """
    case.require_unmerged()
    if case.type not in INVESTIGATED or case.state not in OPEN_STATES:
        raise NotInvestigated(case)
    _require_say(case, actor)
    current = latest if latest is not None and latest.stage != "ruled" else None
    concerned = frozenset(complained_of) | (current.complained_of if current else frozenset())
    if actor.person in concerned:
        raise ComplainedOf(case, actor.person, field="complained_of")
    if investigator in concerned:
        raise ComplainedOf(case, investigator, field="investigator")
    if current is None:
        opened = Investigation(
            case_id=case.id,
            branch=case.branch,
            round=1 if latest is None else latest.round + 1,
            investigator=investigator,
            complained_of=concerned,
            opened_at=now,
            opened_by=actor.person,
        )
        return opened, _opened(case, opened, actor, now)
    changed = replace(current, complained_of=concerned)
    if investigator == current.investigator:
        return changed, None
    changed = replace(changed, investigator=investigator, finding=None, found_at=None)
    return changed, _opened(case, changed, actor, now)


def require_investigator(case: Case, latest: Investigation | None, actor: Actor) -> Investigation:
    """The open investigation, for its investigator to write in.

    Raises:
        NoInvestigation, AlreadyRuled, NotInvestigator: what stands against it.
    """
    investigation = _present(case, latest)
    if investigation.stage == "ruled":
        raise AlreadyRuled(case)
    if actor.person != investigation.investigator:
        raise NotInvestigator(investigation)
    return investigation


def find(
    case: Case, latest: Investigation | None, *, has_facts: bool, finding: Finding, actor: Actor, now: datetime
) -> tuple[Investigation, FindingRecorded]:
    """Record what the investigator came to; until it is approved it may be corrected.

    Raises:
        NoInvestigation, AlreadyRuled, NotInvestigator, NoFacts: what stands against it.
        Invalid: a report is found malicious.
    """
    investigation = require_investigator(case, latest, actor)
    if not has_facts:
        raise NoFacts(case)
    if finding == "malicious" and case.type != "complaint":
        raise Invalid(
            "Only a complaint is found malicious (002 七(二)).",
            field="finding",
            remedy="Use not_substantiated, or correct the kind of the case first.",
        )
    changed = replace(investigation, finding=finding, found_at=now)
    fact = FindingRecorded(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        found_at=now,
        finding=finding,
        investigator=investigation.investigator,
    )
    return changed, fact


def approve(
    case: Case, latest: Investigation | None, *, finding: Finding, actor: Actor, now: datetime
) -> tuple[Investigation, RulingApproved]:
    """Approve the finding and rule on it, as a second person.

    Raises:
        NoInvestigation, AlreadyRuled, ComplainedOf, NotApprover: what stands against it.
        NoFinding: there is none, or it is another than ``finding``.
    """
    investigation = _present(case, latest)
    if investigation.stage == "ruled":
        raise AlreadyRuled(case)
    if actor.person in investigation.complained_of:
        raise ComplainedOf(case, actor.person, field="approved_by")
    if actor.person == investigation.investigator:
        raise NotApprover("The investigator cannot approve their own finding.")
    if not actor.directs(case.branch):
        raise NotApprover("Approving a ruling needs a directing role in the branch of the case.")
    if investigation.finding != finding:
        raise NoFinding(case, investigation.finding)
    changed = replace(investigation, approved_at=now, approved_by=actor.person)
    fact = RulingApproved(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        approved_at=now,
        finding=finding,
        approved_by=actor.person,
    )
    return changed, fact


def explain(case: Case, latest: Investigation | None, *, actor: Actor, now: datetime) -> Investigation:
    """Record that the client got an explanation and an offer of help for what we did not cause (000 §18).

    Raises:
        NoInvestigation, NotDirecting, ComplainedOf: what stands against it.
        NothingToExplain: the finding is another one.
    """
    investigation = _present(case, latest)
    if investigation.finding != "not_caused_by_us":
        raise NothingToExplain(case)
    if actor.person in investigation.complained_of:
        raise ComplainedOf(case, actor.person, field="explained_by")
    if actor.person != investigation.investigator:
        _require_say(case, actor)
    return replace(investigation, explained_at=now, explained_by=actor.person)


def assign_action(
    case: Case,
    latest: Investigation | None,
    *,
    action_id: UUID,
    owner: str,
    due_at: datetime,
    actor: Actor,
    now: datetime,
) -> tuple[CorrectiveAction, CorrectiveActionAssigned]:
    """Give somebody something to put right until a day, after the ruling.

    Raises:
        NoInvestigation, NotRuled, NotDirecting, ComplainedOf: what stands against it.
        Invalid: the day is not in the future.
    """
    investigation = _present(case, latest)
    if investigation.stage != "ruled":
        raise NotRuled(case)
    if actor.person in investigation.complained_of:
        raise ComplainedOf(case, actor.person, field="assigned_by")
    _require_say(case, actor)
    require_future(due_at, now=now)
    action = CorrectiveAction(
        id=action_id,
        case_id=case.id,
        branch=case.branch,
        round=investigation.round,
        owner=owner,
        due_at=due_at,
        assigned_at=now,
        assigned_by=actor.person,
    )
    fact = CorrectiveActionAssigned(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        action_id=action.id,
        assigned_at=now,
        owner=owner,
        due_at=due_at,
    )
    return action, fact


def complete_action(
    case: Case, action: CorrectiveAction, *, actor: Actor, now: datetime
) -> tuple[CorrectiveAction, CorrectiveActionCompleted]:
    """Record that it was put right, by who had to or who directs the branch.

    Raises:
        ActionDone: it was before.
        NotDirecting: it is another person's.
    """
    if action.completed_at is not None:
        raise ActionDone
    if actor.person != action.owner and not actor.directs(case.branch):
        raise Forbidden(
            f"This action is for {action.owner}.",
            field="owner",
            remedy=f"Ask them, or somebody of the branch with one of the roles {', '.join(DIRECTORS)}.",
        )
    fact = CorrectiveActionCompleted(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        action_id=action.id,
        completed_at=now,
        completed_by=actor.person,
    )
    return replace(action, completed_at=now, completed_by=actor.person), fact


def require_future(due_at: datetime, *, now: datetime) -> None:
    """Raise Invalid when a day by which something is due has passed."""
    if due_at <= now:
        raise Invalid("The day is not in the future.", field="due_at", remedy="Give a time later than now.")


def _present(case: Case, latest: Investigation | None) -> Investigation:
    if latest is None:
        raise NoInvestigation(case)
    return latest


def _require_say(case: Case, actor: Actor) -> None:
    if not actor.has_say(case):
        raise NotDirecting(case)


def _opened(case: Case, investigation: Investigation, actor: Actor, now: datetime) -> InvestigationOpened:
    return InvestigationOpened(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        opened_at=now,
        investigator=investigation.investigator,
        opened_by=actor.person,
    )
