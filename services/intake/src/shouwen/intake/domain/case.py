"""A case, and one transition function for each command of its life cycle.

A transition takes the case and returns it changed, with the fact that tells of it; or it raises what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shouwen.contracts.case import (
    CaseAcknowledged,
    CaseAssigned,
    CaseClosed,
    CasePaused,
    CasePlanDelivered,
    CasePromised,
    CaseReclassified,
    CaseReopened,
    CaseReplied,
    CaseResolved,
    CaseResumed,
    CaseState,
    CaseType,
    CaseWithdrawn,
    Channel,
    Relation,
    Severity,
)
from shouwen.intake.domain.life_cycle import LIFE_CYCLE, OPEN_STATES, Command
from shouwen.runtime.errors import Forbidden, Invalid, Refused

ANSWERED_BEFORE_END: frozenset[CaseType] = frozenset({"inquiry", "complaint", "report", "service_request"})
"""Kinds whose requester is answered before the case ends (001 §20, 002 七(四)); a suggestion may end unanswered."""

CLERKS = ("clerk", "manager", "department_head", "coordinator", "general_manager")
"""Roles that work on cases."""
DIRECTORS = ("manager", "department_head", "coordinator", "general_manager")
"""Roles that may also direct the cases of others: hand over, resolve, record a withdrawal."""

NOBODY = "system"
"""Who did what no person did: time."""

CLOCK_SKEW = timedelta(seconds=5)
"""How far ahead of ours the clock of a client may be; a time within it is taken as now."""


class NotInThisState(Refused):
    """The case's state does not allow this."""

    def __init__(self, case: "Case", command: Command) -> None:
        states = ", ".join(LIFE_CYCLE[command])
        remedy = (
            f"Possible while it is {states}."
            if case.is_open or command == "reopen"
            else f"The case has ended; take it up again: POST /api/cases/{case.number}/reopen."
        )
        super().__init__(
            f"Case {case.number} is {case.state}: {command} is not possible.", field="state", remedy=remedy
        )


class MergedAway(Refused):
    """The case was merged into another one, where the matter goes on."""

    def __init__(self, case: "Case") -> None:
        self._survivor = case.merged_into_number or ""
        super().__init__(
            f"Case {case.number} was merged into {self._survivor}, where the matter goes on.",
            field="state",
            remedy=f"Do this on {self._survivor}: GET /api/cases/{self._survivor}.",
        )

    @property
    def members(self) -> Mapping[str, str]:
        """The number of the other case, for programs."""
        return {"survivor": self._survivor}


class AlreadyAcknowledged(Refused):
    """The requester was told already that the matter came in."""

    def __init__(self, case: "Case") -> None:
        assert case.acknowledged_at is not None
        super().__init__(
            f"Case {case.number} was acknowledged at {case.acknowledged_at.isoformat()}.",
            field="state",
            remedy="Nothing more is needed; what else the requester is told is a reply.",
        )


class ConsentMissing(Refused):
    """The reply is promised later than it is due, and the requester's consent is not recorded."""

    def __init__(self, case: "Case", due_at: datetime) -> None:
        super().__init__(
            f"Case {case.number} is due at {due_at.isoformat()}; later needs the requester's consent (002 七(三)).",
            field="requester_consented",
            remedy="Ask the requester and record it with requester_consented, or promise an earlier time.",
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
    acknowledged_at: datetime | None = None
    pause: "Pause | None" = None
    cycle: int = 1
    found_malicious_at: datetime | None = None
    parent_id: UUID | None = None
    parts: int = 0
    """How many parts it was ever split into."""
    merged_into: UUID | None = None
    merged_into_number: str | None = None
    delegates: tuple[str, ...] = ()
    """Who stands in for the owner now: their delegate, that one's delegate, and so on; not stored with the case."""

    @property
    def delegate(self) -> str | None:
        """Who stands in for the owner at present (003 §10(二)); the owner stays responsible."""
        return self.delegates[-1] if self.delegates else None

    @property
    def is_open(self) -> bool:
        """Whether somebody is responsible for it still."""
        return self.state in OPEN_STATES

    def require_unmerged(self) -> None:
        """Raise MergedAway where the matter goes on in another case."""
        if self.state == "merged":
            raise MergedAway(self)

    def after(self, command: Command) -> CaseState:
        """The state which the command leads to.

        Raises:
            MergedAway: the matter goes on in another case.
            NotInThisState: the command is not possible now.
        """
        state = LIFE_CYCLE[command].get(self.state)
        if state is None:
            self.require_unmerged()
            raise NotInThisState(self, command)
        return state


PauseReason = Literal["awaiting_requester", "awaiting_third_party"]
ReopenReason = Literal["dissatisfied", "new_information", "ended_wrongly"]


@dataclass(frozen=True, slots=True)
class Pause:
    """For whom the work waits, since when, and until when the answer is expected."""

    reason: PauseReason
    paused_at: datetime
    expected_until: datetime | None


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


class InvestigationOpen(Refused):
    """The case is being investigated, and no ruling was approved yet."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"Case {case.number} is being investigated, and no ruling was approved yet.",
            field="investigation",
            remedy=f"Have the finding approved first: POST /api/cases/{case.number}/investigation/ruling.",
        )


class NotExplained(Refused):
    """It was found that we did not cause it, and the client was not told so."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"Case {case.number} was not caused by us: the client is owed an explanation and help (000 §18).",
            field="explanation",
            remedy=f"Record both first: POST /api/cases/{case.number}/investigation/explanation.",
        )


class NotDecided(Refused):
    """A reply to the suggestion was promised, and nobody decided about it."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"A reply to suggestion {case.number} was promised: whether it is adopted must be decided (002 七(四)2).",
            field="decision",
            remedy=f"Have it decided first: POST /api/cases/{case.number}/decision.",
        )


class NotApproved(Refused):
    """The reply commits to something outside the contract that was not approved."""

    def __init__(self, case: "Case", evaluation: "EvaluationState") -> None:
        state = {
            "none": "was not evaluated",
            "undecided": "is being evaluated",
            "refused": "was refused",
            "approved": "was approved",
        }[evaluation]
        super().__init__(
            f"The reply to case {case.number} commits to something outside the contract that {state} (000 §17).",
            field="commits",
            remedy=f"Have it approved first: POST /api/cases/{case.number}/evaluations; or promise nothing.",
        )


class CommitmentUnsaid(Invalid):
    """What is asked for outside the contract is not approved, and the reply does not say whether it promises it."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"Case {case.number} asks for something outside the contract that is not approved (000 §17).",
            field="commits",
            remedy="Say whether the reply promises it: false if not. A promise needs the approval first.",
        )


class EvaluationOpen(Refused):
    """What the requester asks for outside the contract is not decided yet."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"What case {case.number} asks for outside the contract is not decided yet (000 §17).",
            field="evaluation",
            remedy=f"Have it decided first: GET /api/cases/{case.number}/evaluations shows it.",
        )


class StillToFollow(Refused):
    """Corrective actions or follow-ups are open, so the case cannot be closed."""

    def __init__(self, case: "Case", actions: int, follow_ups: int) -> None:
        super().__init__(
            f"Case {case.number} has {actions} open corrective actions and {follow_ups} open follow-ups.",
            field="actions" if actions else "follow_ups",
            remedy=f"Record them as done first: GET /api/cases/{case.number}/investigations and …/remedies list them.",
        )


EvaluationState = Literal["none", "undecided", "refused", "approved"]


@dataclass(frozen=True, slots=True)
class Dossier:
    """What else lies with a case and decides whether it may be answered or end; the default is: nothing.

    Each thing that stands against a command is one field here and one refusal in the method of that command.
    """

    open_parts: Sequence[str] = ()
    unanswered_parts: Sequence[str] = ()
    is_under_investigation: bool = False
    is_unexplained: bool = False
    """Found not to be caused by us, without explanation and help (000 §18)."""
    is_decided: bool = False
    """Of a suggestion: whether it is adopted (002 七(四)2)."""
    evaluation: EvaluationState = "none"
    """Of what is asked outside the contract, the latest (000 §17)."""
    open_actions: int = 0
    open_follow_ups: int = 0

    def require_answerable(self, case: Case) -> None:
        """Raise what must be done before the requester is answered."""
        if self.unanswered_parts:
            raise PartsUnanswered(case, self.unanswered_parts)

    def require_endable(self, case: Case) -> None:
        """Raise what must be done before the case is resolved or closed."""
        if self.open_parts:
            raise PartsOpen(case, self.open_parts)
        if self.is_under_investigation:
            raise InvestigationOpen(case)
        if self.is_unexplained:
            raise NotExplained(case)
        if self.evaluation == "undecided":
            raise EvaluationOpen(case)
        if case.type == "suggestion" and case.promised_at is not None and not self.is_decided:
            raise NotDecided(case)

    def require_approval(self, case: Case, *, commits: bool | None) -> None:
        """Raise when a reply promises what was not approved, or does not say whether it does."""
        if commits and self.evaluation != "approved":
            raise NotApproved(case, self.evaluation)
        if commits is None and self.evaluation in {"undecided", "refused"}:
            raise CommitmentUnsaid(case)

    def require_nothing_to_follow(self, case: Case) -> None:
        """Raise what is still to be done after the end of the case."""
        if self.open_actions or self.open_follow_ups:
            raise StillToFollow(case, self.open_actions, self.open_follow_ups)


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

    def has_say(self, case: Case) -> bool:
        """Whether the actor is responsible for the case, stands in for who is, or directs the cases of others."""
        return self.person in {case.owner, *case.delegates} or self.directs(case.branch)

    def require_say(self, case: Case, command: Command) -> None:
        """Raise NotYours unless the actor has a say in the case."""
        if not self.has_say(case):
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
    commits: bool | None = None,
) -> tuple[Case, CaseReplied]:
    """Record that the requester was answered, by whoever did it (I-06; 001 §13).

    An answer that ``commits`` to something outside the contract needs an approved evaluation (I-12; 000 §17).

    Raises:
        NotInThisState: the case has ended.
        Refused: the dossier lacks what an answer needs.
        Invalid: ``replied_at`` is in the future or before the matter came in.
    """
    state = case.after("reply")
    if case.parts:
        # What the departments answered leaves as one answer, from whoever answers for the whole (003 §7(一)).
        actor.require_say(case, "reply")
    dossier.require_answerable(case)
    dossier.require_approval(case, commits=commits)
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
    # Nobody is owed an answer to what two persons found to be untrue (002 七(二)).
    owes_answer = case.type in ANSWERED_BEFORE_END and case.found_malicious_at is None
    if owes_answer and case.replied_at is None:
        raise NotAnswered(case)
    dossier.require_endable(case)
    at = happened_at(case, resolved_at, field="resolved_at", now=now)
    changed = replace(case, state=state, ended_at=at, pause=None)
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
    case.after("withdraw")
    actor.require_say(case, "withdraw")
    at = happened_at(case, withdrawn_at, field="withdrawn_at", now=now)
    return _withdrawn(case, at=at, by=actor.person)


def withdraw_part(part: Case, *, by: str, now: datetime) -> tuple[Case, CaseWithdrawn]:
    """End an open part together with its whole, whoever is responsible for the part.

    Raises:
        NotInThisState: the part has ended.
    """
    return _withdrawn(part, at=now, by=by)


def _withdrawn(case: Case, *, at: datetime, by: str) -> tuple[Case, CaseWithdrawn]:
    changed = replace(case, state=case.after("withdraw"), ended_at=at, pause=None)
    fact = CaseWithdrawn(branch=case.branch, case_id=case.id, number=case.number, withdrawn_at=at, recorded_by=by)
    return changed, fact


def acknowledge(
    case: Case, *, acknowledged_at: datetime | None, actor: Actor, now: datetime
) -> tuple[Case, CaseAcknowledged]:
    """Record that the requester was told that the matter came in and who answers for it (ISO 10002).

    Raises:
        NotInThisState, AlreadyAcknowledged: what stands against it.
        Invalid: ``acknowledged_at`` is in the future or before the matter came in.
    """
    state = case.after("acknowledge")
    if case.acknowledged_at is not None:
        raise AlreadyAcknowledged(case)
    at = happened_at(case, acknowledged_at, field="acknowledged_at", now=now)
    changed = replace(case, state=state, acknowledged_at=at)
    fact = CaseAcknowledged(
        branch=case.branch, case_id=case.id, number=case.number, acknowledged_at=at, acknowledged_by=actor.person
    )
    return changed, fact


def pause(
    case: Case, *, reason: PauseReason, expected_until: datetime | None, actor: Actor, now: datetime
) -> tuple[Case, CasePaused]:
    """Let the work wait for somebody else; which clocks stand still meanwhile, the packs say.

    Raises:
        NotInThisState, NotYours: what stands against it.
        Invalid: the answer is expected for a time that has passed.
    """
    state = case.after("pause")
    actor.require_say(case, "pause")
    if expected_until is not None and expected_until <= now:
        raise Invalid(
            "The answer is expected for a time that has passed.",
            field="expected_until",
            remedy="Give a time to come, or leave it out.",
        )
    changed = replace(case, state=state, pause=Pause(reason, now, expected_until))
    fact = CasePaused(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        paused_at=now,
        reason=reason,
        expected_until=expected_until,
        paused_by=actor.person,
    )
    return changed, fact


def resume(case: Case, *, by: str, now: datetime) -> tuple[Case, CaseResumed]:
    """Go on with the work: what it waited for is there, whoever sees it first.

    Raises:
        NotInThisState: it does not wait.
    """
    changed = replace(case, state=case.after("resume"), pause=None)
    fact = CaseResumed(branch=case.branch, case_id=case.id, number=case.number, resumed_at=now, resumed_by=by)
    return changed, fact


def has_waited_enough(case: Case, *, now: datetime) -> bool:
    """Whether the case waits for an answer that was expected until now."""
    return case.pause is not None and case.pause.expected_until is not None and case.pause.expected_until <= now


def end_wait(case: Case) -> tuple[Case, CaseResumed]:
    """Go on at the moment until which the answer was expected, as the clocks do; nobody had to say so.

    Raises:
        NotInThisState: it does not wait.
    """
    until = case.pause and case.pause.expected_until
    assert until is not None
    return resume(case, by=NOBODY, now=until)


def close(case: Case, *, actor: Actor, now: datetime, dossier: Dossier = NOTHING_ELSE) -> tuple[Case, CaseClosed]:
    """Close a resolved case: nothing more is to follow.

    Raises:
        NotInThisState, NotYours: what stands against it.
        Refused: the dossier lacks what the end needs.
    """
    state = case.after("close")
    actor.require_say(case, "close")
    dossier.require_endable(case)
    dossier.require_nothing_to_follow(case)
    fact = CaseClosed(branch=case.branch, case_id=case.id, number=case.number, closed_at=now, closed_by=actor.person)
    return replace(case, state=state), fact


def reopen(
    case: Case, *, reason: ReopenReason, owner: str, department: str | None, by: str, now: datetime
) -> tuple[Case, CaseReopened]:
    """Take an ended case up again: the next run begins, unanswered; the caller keeps the run that ended (I-19).

    Raises:
        NotInThisState, MergedAway: the case has not ended, or goes on in another.
    """
    changed = replace(
        case,
        state=case.after("reopen"),
        cycle=case.cycle + 1,
        owner=owner,
        department=department,
        promised_at=None,
        acknowledged_at=None,
        replied_at=None,
        plan_delivered_at=None,
        found_malicious_at=None,
        ended_at=None,
    )
    fact = CaseReopened(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        reopened_at=now,
        cycle=changed.cycle,
        reason=reason,
        owner=owner,
        department=department,
        reopened_by=by,
    )
    return changed, fact


def reclassify(
    case: Case, *, type: CaseType, severity: Severity | None, actor: Actor, now: datetime
) -> tuple[Case, CaseReclassified]:
    """Correct the kind or the severity (I-02; 002 七(四)); malicious is no severity but a finding (I-03).

    Raises:
        NotInThisState, NotYours: what stands against it.
        Invalid: nothing changes, or what is no complaint gets a severity.
    """
    case.after("reclassify")
    actor.require_say(case, "reclassify")
    new_severity = severity_of(type, severity)
    if (type, new_severity) == (case.type, case.severity):
        raise Invalid("The case is of this kind and severity already.", field="type", remedy="Give what it is instead.")
    fact = CaseReclassified(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        reclassified_at=now,
        received_at=case.received_at,
        case_type=type,
        severity=new_severity,
        previous_type=case.type,
        previous_severity=case.severity,
        reclassified_by=actor.person,
    )
    return replace(case, type=type, severity=new_severity), fact


def severity_of(type: CaseType, severity: Severity | None) -> Severity | None:
    """The severity of a matter: a complaint is ordinary unless it is said to be major, others have none.

    Raises:
        Invalid: what is no complaint was given one.
    """
    if type == "complaint":
        return severity or "ordinary"
    if severity is not None:
        raise Invalid(
            "Only a complaint has a severity (002 七(二)).",
            field="severity",
            remedy="Leave it out, or register a complaint.",
        )
    return None


def promise(
    case: Case,
    *,
    promised_at: datetime,
    requester_consented: bool,
    due_at: datetime | None,
    actor: Actor,
    now: datetime,
) -> tuple[Case, CasePromised]:
    """Agree the reply time with the requester, or agree it anew (I-07; 002 七(三)).

    ``due_at`` is the earliest running limit known of the policies; that and what was promised before may be undercut
    freely, and passed with the requester's consent only.

    Raises:
        NotInThisState, NotYours, ConsentMissing: what stands against it.
        Invalid: the promised time has passed.
    """
    case.after("promise")
    actor.require_say(case, "promise")
    if promised_at <= now:
        raise Invalid(
            "The promised time has passed.", field="promised_at", remedy="Give the time agreed with the requester."
        )
    limits = [limit for limit in (case.promised_at, due_at) if limit is not None]
    if limits and promised_at > min(limits) and not requester_consented:
        raise ConsentMissing(case, min(limits))
    fact = CasePromised(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        agreed_at=now,
        promised_at=promised_at,
        requester_consented=requester_consented,
        recorded_by=actor.person,
    )
    return replace(case, promised_at=promised_at), fact


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
