"""The commands of a case's life cycle, one transition function for each.

A transition takes the case and returns it changed, with the fact that tells of it; or it raises what is missing.
"""

from dataclasses import replace
from datetime import datetime

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
    CaseType,
    CaseWithdrawn,
    Severity,
)
from shouwen.intake.domain.case import (
    DIRECTORS,
    Actor,
    AlreadyOwner,
    Case,
    Pause,
    PauseReason,
    ReopenReason,
    happened_at,
    severity_of,
)
from shouwen.intake.domain.dossier import NOTHING_ELSE, Dossier
from shouwen.runtime.errors import Forbidden, Invalid, Refused

ANSWERED_BEFORE_END: frozenset[CaseType] = frozenset({"inquiry", "complaint", "report", "service_request"})
"""Kinds whose requester is answered before the case ends (001 §20, 002 七(四)); a suggestion may end unanswered."""

NOBODY = "system"
"""Who did what no person did: time."""


class MustBeOffered(Forbidden):
    """Only who directs the branch's work passes a case on without asking the receiver."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} passes to another person when they accept it (003 §10(一)).",
            field="roles",
            remedy=f"Offer it: POST /api/cases/{case.number}/handover; "
            f"or ask somebody with one of the roles {', '.join(DIRECTORS)}.",
        )


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


def assign(case: Case, *, owner: str, department: str | None, actor: Actor, now: datetime) -> tuple[Case, CaseAssigned]:
    """Pass the responsibility on at once, which is for who directs the branch's work (I-05).

    Everybody else offers it, so that the receiver accepts.

    Raises:
        NotInThisState, NotYours, MustBeOffered, AlreadyOwner: what stands against it.
    """
    state = case.after("assign")
    actor.require_say(case, "assign")
    if not actor.directs(case.branch):
        raise MustBeOffered(case)
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


def _first(earlier: datetime | None, at: datetime) -> datetime:
    return at if earlier is None else min(earlier, at)
