"""A case: its life cycle as a table, and one transition function for each command.

A transition takes the case and returns it changed, with the fact that tells of it; or it raises what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shouwen.contracts.case import (
    CaseAssigned,
    CasePlanDelivered,
    CaseReplied,
    CaseResolved,
    CaseState,
    CaseType,
    CaseWithdrawn,
    Channel,
    Relation,
    Severity,
)
from shouwen.runtime.errors import Forbidden, Invalid, Refused

Command = Literal["assign", "reply", "plan", "resolve", "withdraw"]

LIFE_CYCLE: Mapping[Command, Mapping[CaseState, CaseState]] = {
    "assign": {
        "received": "assigned",
        "assigned": "assigned",
        "in_progress": "in_progress",
        "responded": "responded",
    },
    "reply": {
        "received": "responded",
        "assigned": "responded",
        "in_progress": "responded",
        "responded": "responded",
    },
    "plan": {
        "received": "in_progress",
        "assigned": "in_progress",
        "in_progress": "in_progress",
        "responded": "responded",
    },
    "resolve": {
        "received": "resolved",
        "assigned": "resolved",
        "in_progress": "resolved",
        "responded": "resolved",
    },
    "withdraw": {
        "received": "withdrawn",
        "assigned": "withdrawn",
        "in_progress": "withdrawn",
        "responded": "withdrawn",
    },
}
"""For each command: from which state to which. What is not here is refused. (ISO 10002: receipt to closing.)"""

OPEN_STATES: frozenset[CaseState] = frozenset({"received", "assigned", "in_progress", "responded"})

ANSWERED_BEFORE_END: frozenset[CaseType] = frozenset({"inquiry", "complaint", "report", "service_request"})
"""Kinds whose requester is answered before the case ends (001 §20, 002 七(四)); a suggestion may end unanswered."""

CLERKS = ("clerk", "manager", "department_head", "coordinator", "general_manager")
"""Roles that work on cases."""
DIRECTORS = ("manager", "department_head", "coordinator", "general_manager")
"""Roles that may also direct the cases of others: hand over, resolve, record a withdrawal."""

CLOCK_SKEW = timedelta(seconds=5)
"""How far ahead of ours the clock of a client may be; a time within it is taken as now."""


class NotInThisState(Refused):
    """The case's state does not allow this."""

    def __init__(self, case: "Case", command: Command) -> None:
        states = ", ".join(LIFE_CYCLE[command])
        remedy = (
            "The case has ended; register what is new as a case of its own."
            if case.state not in OPEN_STATES
            else f"Possible while it is {states}."
        )
        super().__init__(
            f"Case {case.number} is {case.state}: {command} is not possible.", field="state", remedy=remedy
        )


class NotAnswered(Refused):
    """The requester has not been answered yet, so the case cannot be resolved."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"Case {case.number} lacks a reply to its requester, so it cannot be resolved.",
            field="reply",
            remedy=f"Record the answer first: POST /api/cases/{case.number}/reply.",
        )


class AlreadyOwner(Refused):
    """The person is responsible for the case already."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"{case.owner} is responsible for case {case.number} already.", field="owner", remedy="Name another person."
        )


class NotYours(Forbidden):
    """The case is another person's."""

    def __init__(self, case: "Case", command: Command) -> None:
        super().__init__(
            f"Case {case.number} is the responsibility of {case.owner}: {command} is theirs to do.",
            field="owner",
            remedy=f"Ask them, or somebody with one of the roles {', '.join(DIRECTORS)}.",
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One matter in the register, without the words and names of people (see Particulars)."""

    id: UUID
    number: str
    branch: str
    type: CaseType
    severity: Severity | None
    channel: Channel
    relation: Relation
    state: CaseState
    received_at: datetime
    registered_at: datetime
    registrar: str
    owner: str
    department: str | None
    promised_at: datetime | None
    traceparent: str | None
    replied_at: datetime | None = None
    plan_delivered_at: datetime | None = None
    ended_at: datetime | None = None

    def after(self, command: Command) -> CaseState:
        """The state which the command leads to.

        Raises:
            NotInThisState: the command is not possible now.
        """
        state = LIFE_CYCLE[command].get(self.state)
        if state is None:
            raise NotInThisState(self, command)
        return state


class PartsOpen(Refused):
    """Parts of the case are open, so it cannot end."""

    def __init__(self, case: "Case", parts: Sequence[str]) -> None:
        super().__init__(
            f"Case {case.number} cannot end while its parts are open: {', '.join(parts)}.",
            field="parts",
            remedy="Bring each part to its end first; what a part no longer has to do is withdrawn (003 §7(一)).",
        )


class PartsUnanswered(Refused):
    """Parts of the case owe their answer, so there is no consolidated one yet."""

    def __init__(self, case: "Case", parts: Sequence[str]) -> None:
        super().__init__(
            f"Case {case.number} gets one answer out of those of its parts; these are missing: {', '.join(parts)}.",
            field="parts",
            remedy="Have each part answered first, or withdraw it (003 §7(一)).",
        )


@dataclass(frozen=True, slots=True)
class Dossier:
    """What else lies with a case and decides whether it may be answered or end; the default is: nothing.

    Each thing that stands against a command is one field here and one refusal in the method of that command.
    """

    open_parts: Sequence[str] = ()
    unanswered_parts: Sequence[str] = ()

    def require_answerable(self, case: Case) -> None:
        """Raise what must be done before the requester is answered."""
        if self.unanswered_parts:
            raise PartsUnanswered(case, self.unanswered_parts)

    def require_endable(self, case: Case) -> None:
        """Raise what must be done before the case is resolved or closed."""
        if self.open_parts:
            raise PartsOpen(case, self.open_parts)


NOTHING_ELSE = Dossier()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who gives a command."""

    person: str
    roles: frozenset[str]
    branches: frozenset[str]

    def directs(self, branch: str) -> bool:
        """Whether the actor directs the cases of others in the branch; a role counts in one's own branches only."""
        return branch in self.branches and not self.roles.isdisjoint(DIRECTORS)

    def require_say(self, case: Case, command: Command) -> None:
        """Raise NotYours unless the actor is responsible for the case or directs the cases of others."""
        if self.person != case.owner and not self.directs(case.branch):
            raise NotYours(case, command)


def assign(case: Case, *, owner: str, department: str | None, actor: Actor, now: datetime) -> tuple[Case, CaseAssigned]:
    """Pass the responsibility on (I-05; 003 §10(一)).

    Raises:
        NotInThisState, NotYours, AlreadyOwner: what stands against it.
    """
    state = case.after("assign")
    actor.require_say(case, "assign")
    if owner == case.owner and department in {None, case.department}:
        raise AlreadyOwner(case)
    changed = replace(case, state=state, owner=owner, department=department)
    fact = CaseAssigned(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        assigned_at=now,
        owner=owner,
        department=department,
        assigned_by=actor.person,
    )
    return changed, fact


def reply(
    case: Case,
    *,
    replied_at: datetime | None,
    written: bool,
    actor: Actor,
    now: datetime,
    dossier: Dossier = NOTHING_ELSE,
) -> tuple[Case, CaseReplied]:
    """Record that the requester was answered, by whoever did it (I-06; 001 §13).

    Raises:
        NotInThisState: the case has ended.
        Refused: the dossier lacks what an answer needs.
        Invalid: ``replied_at`` is in the future or before the matter came in.
    """
    state = case.after("reply")
    dossier.require_answerable(case)
    at = happened_at(case, replied_at, field="replied_at", now=now)
    changed = replace(case, state=state, replied_at=_first(case.replied_at, at))
    fact = CaseReplied(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        replied_at=at,
        replied_by=actor.person,
        written=written,
    )
    return changed, fact


def deliver_plan(
    case: Case, *, delivered_at: datetime | None, actor: Actor, now: datetime
) -> tuple[Case, CasePlanDelivered]:
    """Record that a written plan reached the requester (004 三(六)).

    Raises:
        NotInThisState: the case has ended.
        Invalid: ``delivered_at`` is in the future or before the matter came in.
    """
    state = case.after("plan")
    at = happened_at(case, delivered_at, field="delivered_at", now=now)
    changed = replace(case, state=state, plan_delivered_at=_first(case.plan_delivered_at, at))
    fact = CasePlanDelivered(
        branch=case.branch, case_id=case.id, number=case.number, delivered_at=at, delivered_by=actor.person
    )
    return changed, fact


def resolve(
    case: Case, *, resolved_at: datetime | None, actor: Actor, now: datetime, dossier: Dossier = NOTHING_ELSE
) -> tuple[Case, CaseResolved]:
    """End the case: the matter was handled (001 §20).

    Raises:
        NotInThisState, NotYours, NotAnswered: what stands against it.
        Refused: the dossier lacks what the end needs.
        Invalid: ``resolved_at`` is in the future or before the matter came in.
    """
    state = case.after("resolve")
    actor.require_say(case, "resolve")
    if case.type in ANSWERED_BEFORE_END and case.replied_at is None:
        raise NotAnswered(case)
    dossier.require_endable(case)
    at = happened_at(case, resolved_at, field="resolved_at", now=now)
    changed = replace(case, state=state, ended_at=at)
    fact = CaseResolved(
        branch=case.branch, case_id=case.id, number=case.number, resolved_at=at, resolved_by=actor.person
    )
    return changed, fact


def withdraw(case: Case, *, withdrawn_at: datetime | None, actor: Actor, now: datetime) -> tuple[Case, CaseWithdrawn]:
    """End the case: its requester withdrew it.

    Raises:
        NotInThisState, NotYours: what stands against it.
        Invalid: ``withdrawn_at`` is in the future or before the matter came in.
    """
    state = case.after("withdraw")
    actor.require_say(case, "withdraw")
    at = happened_at(case, withdrawn_at, field="withdrawn_at", now=now)
    changed = replace(case, state=state, ended_at=at)
    fact = CaseWithdrawn(
        branch=case.branch, case_id=case.id, number=case.number, withdrawn_at=at, recorded_by=actor.person
    )
    return changed, fact


def happened_at(case: Case, given: datetime | None, *, field: str, now: datetime) -> datetime:
    """The time of what is recorded: as given, or now.

    Raises:
        Invalid: it is in the future, or before the matter reached the group.
    """
    at = past(given, field=field, now=now)
    if at < case.received_at:
        raise Invalid(
            "The time is before the matter was received.",
            field=field,
            remedy=f"Give a time from {case.received_at.isoformat()} on, or leave it out for now.",
        )
    return at


def past(given: datetime | None, *, field: str, now: datetime) -> datetime:
    """``given``, or now where it is left out or ahead by no more than a clock's error.

    Raises:
        Invalid: it is in the future.
    """
    if given is None:
        return now
    if given > now + CLOCK_SKEW:
        raise Invalid("The time is in the future.", field=field, remedy="Give a past time, or leave it out for now.")
    return min(given, now)


def _first(earlier: datetime | None, at: datetime) -> datetime:
    return at if earlier is None else min(earlier, at)
