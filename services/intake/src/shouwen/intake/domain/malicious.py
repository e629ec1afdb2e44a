"""That a complaint is untrue, or a smear in public: found by two persons, and never by one (I-03; 002 七(二)).

Until the second person has confirmed it nothing is told, so no clock stops and the complaint is worked on as before.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shouwen.contracts.case import CaseFoundMalicious
from shouwen.intake.domain.case import Actor, Case
from shouwen.runtime.errors import Forbidden, Refused

FindingState = Literal["proposed", "confirmed", "rejected"]

JUDGES = ("manager", "department_head", "general_manager")
"""Roles that confirm or reject what somebody holds a complaint to be."""


class OnlyComplaints(Refused):
    """Only a complaint can be found malicious."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is a {case.type}; only a complaint can be malicious (002 七(二)).",
            field="type",
            remedy=f"Correct the kind first, if it is a complaint: POST /api/cases/{case.number}/reclassify.",
        )


class AlreadyFound(Refused):
    """The complaint was found malicious before."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Complaint {case.number} was found malicious already.", field="state", remedy="Resolve it, with a summary."
        )


class AlreadyProposed(Refused):
    """A finding waits for the second person."""

    def __init__(self, case: Case, proposal: "Proposal") -> None:
        super().__init__(
            f"{proposal.proposed_by} proposed this for complaint {case.number}; a second person must decide.",
            field="state",
            remedy=f"POST /api/cases/{case.number}/malicious/confirm or …/malicious/reject.",
        )


class NothingProposed(Refused):
    """Nobody has proposed that the complaint is malicious."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Nothing is proposed for case {case.number}.",
            field="state",
            remedy=f"One person proposes it, another confirms it: POST /api/cases/{case.number}/malicious.",
        )


class SamePerson(Forbidden):
    """Who proposed the finding cannot decide about it."""

    def __init__(self) -> None:
        super().__init__(
            field="person", remedy=f"Ask another person with one of the roles {', '.join(JUDGES)} in this branch."
        )


class NotAJudge(Forbidden):
    """This role does not decide about such a finding."""

    def __init__(self) -> None:
        super().__init__(
            field="person", remedy=f"Ask somebody with one of the roles {', '.join(JUDGES)} in this branch."
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one person holds a complaint to be, and what a second person made of it. Its words rest apart."""

    id: UUID
    proposed_by: str
    proposed_at: datetime
    state: FindingState = "proposed"
    decided_by: str | None = None
    decided_at: datetime | None = None


def propose(case: Case, standing: Proposal | None, *, proposal_id: UUID, actor: Actor, now: datetime) -> Proposal:
    """Propose that a complaint is malicious; nothing follows from it before a second person agrees.

    Raises:
        NotInThisState, OnlyComplaints, AlreadyFound, AlreadyProposed: what stands against it.
    """
    case.after("find_malicious")
    if case.type != "complaint":
        raise OnlyComplaints(case)
    if case.found_malicious_at is not None:
        raise AlreadyFound(case)
    if standing is not None:
        raise AlreadyProposed(case, standing)
    return Proposal(id=proposal_id, proposed_by=actor.person, proposed_at=now)


def confirm(
    case: Case, standing: Proposal | None, *, actor: Actor, now: datetime
) -> tuple[Case, Proposal, CaseFoundMalicious]:
    """Agree, as the second person: the complaint is malicious from now on.

    Raises:
        NotInThisState, NothingProposed, NotAJudge, SamePerson, OnlyComplaints: what stands against it.
    """
    state = case.after("find_malicious")
    decided = _decided(case, standing, "confirmed", actor=actor, now=now)
    if case.type != "complaint":
        raise OnlyComplaints(case)
    fact = CaseFoundMalicious(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        found_at=now,
        proposed_by=decided.proposed_by,
        confirmed_by=actor.person,
    )
    return replace(case, state=state, found_malicious_at=now), decided, fact


def reject(case: Case, standing: Proposal | None, *, actor: Actor, now: datetime) -> Proposal:
    """Disagree, as the second person: the complaint goes on as it was.

    Raises:
        NothingProposed, NotAJudge, SamePerson: what stands against it.
    """
    return _decided(case, standing, "rejected", actor=actor, now=now)


def _decided(case: Case, standing: Proposal | None, state: FindingState, *, actor: Actor, now: datetime) -> Proposal:
    if standing is None:
        raise NothingProposed(case)
    if actor.roles.isdisjoint(JUDGES) or case.branch not in actor.branches:
        raise NotAJudge
    if actor.person == standing.proposed_by:
        raise SamePerson
    return replace(standing, state=state, decided_by=actor.person, decided_at=now)
