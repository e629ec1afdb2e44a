"""Who is responsible for a case, from when until when, and how it passes on (I-05; 001 §13(一), 003 §10(一))."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shouwen.contracts.case import CaseAssigned, CaseReopened
from shouwen.contracts.casework import CaseEvent, HandoverAccepted, HandoverOffered, HandoverReturned
from shouwen.intake.domain.case import Actor, AlreadyOwner, Case
from shouwen.runtime.errors import Forbidden, Invalid, Refused

How = Literal["registered", "assigned", "accepted", "reopened"]
"""How somebody came to a case: was asked first, got it assigned, accepted it, took it up again."""
OfferState = Literal["offered", "accepted", "returned", "lapsed", "overtaken"]
"""``overtaken``: the case passed to somebody else or ended before the offer was answered."""

COORDINATOR = "coordinator"
DEPARTMENT_HEAD = "department_head"


class NothingOffered(Refused):
    """No hand-over of this case waits for an answer."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"No hand-over of case {case.number} waits for an answer.",
            field="handover",
            remedy=f"Whoever is responsible offers it: POST /api/cases/{case.number}/handover.",
        )


class AlreadyOffered(Refused):
    """The case is offered to somebody who may still answer."""

    def __init__(self, case: Case, offer: "Offer") -> None:
        super().__init__(
            f"Case {case.number} is offered to {offer.receiver} until {offer.answer_until.isoformat()}.",
            field="handover",
            remedy="Wait for the answer; if it must pass at once, somebody who directs the branch's work assigns it.",
        )


class OfferLapsed(Refused):
    """The time to answer is over, so the case stayed with whoever offered it."""

    def __init__(self, case: Case, offer: "Offer") -> None:
        super().__init__(
            f"The offer of case {case.number} lapsed at {offer.answer_until.isoformat()}.",
            field="handover",
            remedy=f"Ask {offer.owner} to offer it again.",
        )


class NotOffered(Forbidden):
    """The case is offered to somebody else."""

    def __init__(self, case: Case, offer: "Offer") -> None:
        super().__init__(
            f"Case {case.number} is offered to {offer.receiver}.",
            field="handover",
            remedy="They answer, or whoever stands in for them.",
        )


@dataclass(frozen=True, slots=True)
class Holding:
    """One link of the chain: a person's time with a case; open while ``until`` is None."""

    person: str
    department: str | None
    since: datetime
    until: datetime | None
    how: How

    def minutes(self, start: datetime, end: datetime) -> float:
        """The elapsed minutes of this link between two instants."""
        held = min(self.until or end, end) - max(self.since, start)
        return max(held, timedelta(0)) / timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Offer:
    """A case offered to another person. Its words and phone rest encrypted, apart."""

    id: UUID
    offered_by: str
    owner: str
    receiver: str
    department: str | None
    offered_at: datetime
    answer_until: datetime
    state: OfferState = "offered"
    answered_at: datetime | None = None

    def state_at(self, now: datetime) -> OfferState:
        """What it is when it is read: one whose time is over has lapsed, also before that is recorded."""
        return "lapsed" if self.state == "offered" and self.answer_until <= now else self.state


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person of the branch as a receiver."""

    person: str
    department: str | None
    roles: Collection[str]


@dataclass(frozen=True, slots=True)
class Passing:
    """The last link ends, and where ``begins`` is given a new one begins then."""

    at: datetime
    begins: How | None


def passing(before: Case, after: Case, fact: CaseEvent, *, now: datetime) -> Passing | None:
    """What a command does to the chain; None when whoever had the case has it still, or nobody."""
    if not after.is_open:
        return Passing(after.ended_at or now, None) if before.is_open else None
    if before.is_open and (before.owner, before.department) == (after.owner, after.department):
        return None
    return Passing(now, _how(fact))


def receiver_in(department: str | None, staff: Iterable[Colleague]) -> Colleague:
    """Who receives a case that is meant for a department, or for nobody knows whom (003 §7(一)).

    The department's head, or its only person; where the directory knows neither, the branch's coordinator.

    Raises:
        Invalid: the branch has no coordinator either.
    """
    colleagues = sorted(staff, key=lambda each: each.person)
    there = [each for each in colleagues if department is not None and each.department == department]
    heads = [each for each in there if DEPARTMENT_HEAD in each.roles]
    coordinators = [each for each in colleagues if COORDINATOR in each.roles]
    found = heads or (there if len(there) == 1 else []) or coordinators
    if not found:
        raise Invalid(
            "The directory knows no head of this department, and no coordinator of the branch.",
            field="department",
            remedy="Name the receiver, or have a coordinator entered in the directory.",
        )
    return found[0]


def offer(
    case: Case,
    *,
    offer_id: UUID,
    receiver: Colleague,
    standing: Offer | None,
    allowed: timedelta,
    actor: Actor,
    now: datetime,
) -> tuple[Offer, HandoverOffered]:
    """Offer the case to another person, who has ``allowed`` to accept or return it; it stays whose it is until then.

    Raises:
        NotInThisState, NotYours, AlreadyOwner, AlreadyOffered: what stands against it.
    """
    case.after("offer")
    actor.require_say(case, "offer")
    if receiver.person == case.owner:
        raise AlreadyOwner(case)
    if standing is not None:
        raise AlreadyOffered(case, standing)
    made = Offer(
        id=offer_id,
        offered_by=actor.person,
        owner=case.owner,
        receiver=receiver.person,
        department=receiver.department,
        offered_at=now,
        answer_until=now + allowed,
    )
    fact = HandoverOffered(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        offered_at=now,
        offered_by=made.offered_by,
        owner=case.owner,
        receiver=made.receiver,
        department=made.department,
        answer_until=made.answer_until,
    )
    return made, fact


def accept(
    case: Case, offer: Offer | None, *, actor: Actor, stand_ins: Collection[str], now: datetime
) -> tuple[Case, Offer, HandoverAccepted]:
    """Take the case over. Who stands in for the receiver may answer; responsible is the receiver.

    Raises:
        NotInThisState, NothingOffered, NotOffered, OfferLapsed: what stands against it.
    """
    state = case.after("accept")
    answered = _answerable(case, offer, actor=actor, stand_ins=stand_ins, now=now)
    changed = replace(case, state=state, owner=answered.receiver, department=answered.department)
    fact = HandoverAccepted(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        accepted_at=now,
        owner=changed.owner,
        department=changed.department,
        previous_owner=case.owner,
        previous_department=case.department,
    )
    return changed, replace(answered, state="accepted", answered_at=now), fact


def give_back(
    case: Case, offer: Offer | None, *, actor: Actor, stand_ins: Collection[str], now: datetime
) -> tuple[Offer, HandoverReturned]:
    """Do not take the case: it stays with its owner.

    Raises:
        NothingOffered, NotOffered, OfferLapsed: what stands against it.
    """
    answered = _answerable(case, offer, actor=actor, stand_ins=stand_ins, now=now)
    return replace(answered, state="returned", answered_at=now), _returned(case, answered, at=now, lapsed=False)


def lapse(case: Case, offer: Offer) -> tuple[Offer, HandoverReturned]:
    """Settle an offer that nobody answered in time: the case stayed with its owner."""
    at = offer.answer_until
    return replace(offer, state="lapsed", answered_at=at), _returned(case, offer, at=at, lapsed=True)


def _answerable(case: Case, offer: Offer | None, *, actor: Actor, stand_ins: Collection[str], now: datetime) -> Offer:
    if offer is None:
        raise NothingOffered(case)
    if actor.person != offer.receiver and actor.person not in stand_ins:
        raise NotOffered(case, offer)
    if offer.state_at(now) == "lapsed":
        raise OfferLapsed(case, offer)
    return offer


def _returned(case: Case, offer: Offer, *, at: datetime, lapsed: bool) -> HandoverReturned:
    return HandoverReturned(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        returned_at=at,
        owner=case.owner,
        receiver=offer.receiver,
        lapsed=lapsed,
    )


def _how(fact: CaseEvent) -> How:
    match fact:
        case HandoverAccepted():
            return "accepted"
        case CaseReopened():
            return "reopened"
        case CaseAssigned() | _:
            return "assigned"


@dataclass(frozen=True, slots=True)
class Held:
    """How long a person, or a department, had a case: elapsed minutes."""

    person: str | None
    department: str | None
    minutes: float


def held_by_person(chain: Iterable[Holding], start: datetime, end: datetime) -> list[Held]:
    """The minutes that each person had the case between two instants, in their departments; the first one first."""
    minutes: defaultdict[tuple[str, str | None], float] = defaultdict(float)
    for link in chain:
        minutes[link.person, link.department] += link.minutes(start, end)
    return [Held(person, department, held) for (person, department), held in minutes.items() if held > 0]


def held_by_department(chain: Iterable[Holding], start: datetime, end: datetime) -> list[Held]:
    """The minutes that each department had the case between two instants; the first one first."""
    minutes: defaultdict[str | None, float] = defaultdict(float)
    for link in chain:
        minutes[link.department] += link.minutes(start, end)
    return [Held(None, department, held) for department, held in minutes.items() if held > 0]


@dataclass(frozen=True, slots=True)
class StandingIn:
    """A time in which somebody stood in for another (003 §10(二))."""

    principal: str
    delegate: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class StoodIn:
    """How long a delegate stood in for whoever had the case: elapsed minutes of theirs."""

    delegate: str
    principal: str
    minutes: float


def stood_in(
    chain: Iterable[Holding], standing_in: Sequence[StandingIn], start: datetime, end: datetime
) -> list[StoodIn]:
    """The minutes between two instants in which a delegate stood in for the person who had the case."""
    minutes: defaultdict[tuple[str, str], float] = defaultdict(float)
    for link in chain:
        for each in standing_in:
            if each.principal == link.person:
                minutes[each.delegate, each.principal] += link.minutes(
                    max(start, each.starts_at), min(end, each.ends_at)
                )
    return [StoodIn(*who, held) for who, held in minutes.items() if held > 0]


@dataclass(frozen=True, slots=True)
class HeardClock:
    """One thing that sla told about a clock of the case."""

    type: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Liability:
    """Who answers for a clock that ran out: first the principal, and second who stood in for them (003 §10(二)3)."""

    clock_id: str
    policy: str
    target: str
    clause: str
    cycle: int
    started_at: datetime
    due_at: datetime
    principal: str
    delegate: str | None
    department: str | None
    held: Sequence[Held]
    departments: Sequence[Held]
    stood_in: Sequence[StoodIn]


def liabilities(
    heard: Sequence[HeardClock], chain: Sequence[Holding], standing_in: Sequence[StandingIn] = ()
) -> list[Liability]:
    """For each clock of the case that ran out, who answers for it and how long each had the case till then.

    Who answers is as sla told it with the breach; where sla did not know, whoever had the case at the limit.
    """
    started = {
        str(each.values["clock_id"]): _instant(each.values["started_at"])
        for each in heard
        if each.type == "clock.started.v1"
    }
    return [
        _liability(each.values, started, chain, standing_in)
        for each in heard
        if each.type == "clock.breached.v1" and chain
    ]


def _liability(
    values: Mapping[str, object],
    started: Mapping[str, datetime],
    chain: Sequence[Holding],
    standing_in: Sequence[StandingIn],
) -> Liability:
    clock_id, due_at = str(values["clock_id"]), _instant(values["due_at"])
    # A start that was not heard: the clock cannot have run longer than the case is here.
    start = started.get(clock_id, chain[0].since)
    holder = next((link for link in reversed(chain) if link.since <= due_at), chain[0])
    owner, delegate, department = (values.get(name) for name in ("owner", "delegate", "department"))
    return Liability(
        clock_id=clock_id,
        policy=str(values["policy"]),
        target=str(values["target"]),
        clause=str(values["clause"]),
        cycle=int(str(values.get("cycle", 1))),
        started_at=start,
        due_at=due_at,
        principal=str(owner) if owner else holder.person,
        delegate=str(delegate) if delegate else None,
        department=(str(department) if department else None) if owner else holder.department,
        held=held_by_person(chain, start, due_at),
        departments=held_by_department(chain, start, due_at),
        stood_in=stood_in(chain, standing_in, start, due_at),
    )


def _instant(value: object) -> datetime:
    return datetime.fromisoformat(str(value))
