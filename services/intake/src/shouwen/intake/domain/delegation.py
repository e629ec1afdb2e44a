"""Who stands in for whom while they are away (I-09; 003 §10(二)).

Whoever is away for more than half a working day names a delegate. The principal stays responsible for their cases, the
delegate beside them: a breach is the principal's first and the delegate's second.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from shouwen.contracts.directory import DelegationDescribed
from shouwen.intake.domain.case import CLERKS, CLOCK_SKEW, Actor
from shouwen.intake.domain.directory import keeps
from shouwen.runtime.errors import Forbidden, Invalid, Refused

HALF_A_DAY = timedelta(hours=4)
"""Half a working day, of the hours below."""
OFFICE_HOURS = ((time(9), time(12)), (time(13), time(18)))
"""The hours of a working day, Monday to Friday. A branch's own schedule and the holidays are known to sla alone, so a
holiday counts as a working day here: rather a delegate too many than one too few."""
LONGEST = timedelta(days=366)
"""Longer than this nobody is stood in for: their work is another's."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment up to another, which does not belong to it."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: "Period") -> bool:
        """Whether the two have a moment in common."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def without(self, others: Iterable["Period"]) -> list["Period"]:
        """What of it lies in none of the others, in order."""
        left: list[Period] = []
        at = self.starts_at
        for other in sorted(others, key=lambda each: each.starts_at):
            if other.starts_at > at:
                left.append(Period(at, min(other.starts_at, self.ends_at)))
            at = max(at, other.ends_at)
            if at >= self.ends_at:
                return left
        return [*left, Period(at, self.ends_at)]


@dataclass(frozen=True, slots=True)
class Delegation:
    """One person stands in for another. A cancelled one never was; one that ended early has its true end."""

    id: UUID
    branch: str
    principal: str
    delegate: str
    period: Period
    named_by: str
    named_at: datetime
    cancelled_at: datetime | None = None

    def in_force(self, at: datetime) -> bool:
        """Whether the delegate stands in at this moment."""
        return self.cancelled_at is None and self.period.starts_at <= at < self.period.ends_at

    def described(self) -> DelegationDescribed:
        """The fact that tells of it as it is now."""
        return DelegationDescribed(
            branch=self.branch,
            delegation_id=self.id,
            principal=self.principal,
            delegate=self.delegate,
            starts_at=self.period.starts_at,
            ends_at=self.period.ends_at,
            cancelled=self.cancelled_at is not None,
        )


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody is away; why, is theirs to know. ``delegation_id``: the delegation named together with it."""

    id: UUID
    branch: str
    person: str
    period: Period
    recorded_by: str
    recorded_at: datetime
    delegation_id: UUID | None = None
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """What of a person in the directory decides whether they can stand in."""

    person: str
    branch: str
    roles: frozenset[str]
    is_active: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The delegations and absences of a branch that touch a period; none of them cancelled."""

    delegations: Sequence[Delegation] = ()
    absences: Sequence[Absence] = ()


class OverlappingDelegation(Refused):
    """The person is stood in for during this time already."""

    def __init__(self, other: Delegation) -> None:
        super().__init__(
            f"{other.delegate} stands in for {other.principal} from {_said(other.period.starts_at)} "
            f"to {_said(other.period.ends_at)} already.",
            field="starts_at",
            remedy=f"Choose another time, or end that one first: POST /api/delegations/{other.id}/end.",
        )


class OverlappingAbsence(Refused):
    """The person is recorded as away during this time already."""

    def __init__(self, other: Absence) -> None:
        super().__init__(
            f"{other.person} is away from {_said(other.period.starts_at)} to {_said(other.period.ends_at)} already.",
            field="starts_at",
            remedy=f"Choose another time, or end that absence first: POST /api/absences/{other.id}/end.",
        )


class DelegateAway(Refused):
    """The delegate is away themselves at the time."""

    def __init__(self, delegate: str, period: Period) -> None:
        super().__init__(
            f"{delegate} is away from {_said(period.starts_at)} to {_said(period.ends_at)}, so they cannot stand in.",
            field="delegate",
            remedy="Name somebody who is there, or divide the time between two.",
        )


class CircularDelegation(Refused):
    """The work would come back to whom it was taken from."""

    def __init__(self, principal: str, delegate: str) -> None:
        super().__init__(
            f"{principal} stands in for {delegate} at that time, directly or through others: it would go in a circle.",
            field="delegate",
            remedy="Name somebody else.",
        )


class DelegateMissing(Refused):
    """Somebody is away for more than half a working day, holds open work, and nobody stands in."""

    def __init__(self, person: str, *, uncovered: timedelta, open_cases: int) -> None:
        self._open_cases = open_cases
        hours = uncovered / timedelta(hours=1)
        super().__init__(
            f"{person} is responsible for {open_cases} open cases, and nobody stands in for {hours:.1f} working hours "
            "of the absence; over half a working day (4 h) needs a delegate (003 §10(二)).",
            field="delegate",
            remedy="Name a delegate of the branch, here or before: POST /api/delegations.",
        )

    @property
    def members(self) -> Mapping[str, str]:
        """How many open cases, for programs."""
        return {"open_cases": str(self._open_cases)}


class AwayWithoutDelegate(Refused):
    """Who is to be responsible is away, and nobody stands in."""

    def __init__(self, absence: Absence, *, field: str) -> None:
        super().__init__(
            f"{absence.person} is away until {_said(absence.period.ends_at)}, and nobody stands in for them.",
            field=field,
            remedy="Name somebody who is there, or have a delegate named first: POST /api/delegations.",
        )


class NotBegun(Refused):
    """It has not begun, so it cannot end."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"The {kind} has not begun, so it cannot end.", field="state", remedy="Cancel it: …/cancel.")


class AlreadyBegun(Refused):
    """It has begun, so it cannot be made undone."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"The {kind} has begun, so it cannot be cancelled as if it never was.",
            field="state",
            remedy="End it: …/end.",
        )


class AlreadyOver(Refused):
    """It is over or cancelled."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"The {kind} is over or cancelled.", field="state", remedy="Nothing more is needed.")


def period_of(starts_at: datetime | None, ends_at: datetime, *, now: datetime, may_have_begun: bool = False) -> Period:
    """The period that somebody gives; from now on unless they say.

    Raises:
        Invalid: it has begun where it may not, is over, ends before it begins, or is longer than a year.
    """
    begins = now if starts_at is None else starts_at
    if begins < now - CLOCK_SKEW and not may_have_begun:
        raise Invalid(
            "A delegation cannot begin in the past: what was breached then was one person's alone.",
            field="starts_at",
            remedy="Give a time to come, or leave it out for now.",
        )
    if not may_have_begun:
        begins = max(begins, now)
    if ends_at <= max(begins, now):
        raise Invalid("It would be over already.", field="ends_at", remedy="Give a time to come, later than starts_at.")
    if ends_at - begins > LONGEST:
        raise Invalid(
            "It would last longer than a year.",
            field="ends_at",
            remedy="Hand the cases over instead; or give up to 366 days.",
        )
    return Period(begins, ends_at)


def require_say(actor: Actor, *, person: str, branch: str) -> None:
    """Let a person arrange for themselves, and who directs or keeps the branch for its people.

    Raises:
        Forbidden: the actor is none of them.
    """
    own = actor.person == person and branch in actor.branches
    if not (own or actor.directs(branch) or keeps(roles=actor.roles, branches=actor.branches, branch=branch)):
        raise Forbidden(
            f"The absences of {person} are theirs to arrange.",
            field="principal",
            remedy="Ask them, or somebody who directs the branch's work.",
        )


def name_delegate(
    delegation_id: UUID,
    principal: Post,
    delegate: Post | None,
    period: Period,
    *,
    standing: Standing,
    by: str,
    now: datetime,
) -> Delegation:
    """Let somebody stand in for another.

    Args:
        delegation_id: the new delegation's.
        principal: who is away.
        delegate: who stands in; None when the directory has no such person that the caller sees.
        period: when.
        standing: what stands in the branch during the period.
        by: who arranges it.
        now: the present.

    Raises:
        Invalid: the delegate is the principal, or nobody at work in the branch who works on cases.
        Refused: somebody stands in already, the delegate is away, or it would go in a circle.
    """
    if delegate is not None and delegate.person == principal.person:
        raise Invalid("Nobody stands in for themselves.", field="delegate", remedy="Name a colleague of the branch.")
    if delegate is None or not delegate.is_active or delegate.branch != principal.branch:
        raise Invalid(
            "The directory has no such active person in this branch.",
            field="delegate",
            remedy="GET /api/persons lists the branch's persons.",
        )
    if delegate.roles.isdisjoint(CLERKS):
        raise Invalid(
            "The person does not work on cases.",
            field="delegate",
            remedy=f"Name somebody with one of the roles {', '.join(CLERKS)}.",
        )
    touching = [each for each in standing.delegations if each.period.overlaps(period)]
    for other in touching:
        if other.principal == principal.person:
            raise OverlappingDelegation(other)
    for absence in standing.absences:
        if absence.person == delegate.person and absence.period.overlaps(period):
            raise DelegateAway(delegate.person, absence.period)
    if principal.person in _reached(delegate.person, touching):
        raise CircularDelegation(principal.person, delegate.person)
    for other in touching:
        if other.principal == delegate.person:
            raise DelegateAway(delegate.person, other.period)
    return Delegation(
        id=delegation_id,
        branch=principal.branch,
        principal=principal.person,
        delegate=delegate.person,
        period=period,
        named_by=by,
        named_at=now,
    )


def record_absence(
    absence_id: UUID,
    person: Post,
    period: Period,
    *,
    standing: Standing,
    delegation: Delegation | None,
    by: str,
    now: datetime,
) -> Absence:
    """Note that somebody is away; ``require_cover`` says whether it is arranged for.

    Raises:
        OverlappingAbsence: they are away during some of it already.
    """
    for other in standing.absences:
        if other.person == person.person and other.period.overlaps(period):
            raise OverlappingAbsence(other)
    return Absence(
        id=absence_id,
        branch=person.branch,
        person=person.person,
        period=period,
        recorded_by=by,
        recorded_at=now,
        delegation_id=None if delegation is None else delegation.id,
    )


def require_cover(
    absence: Absence, delegations: Iterable[Delegation], *, open_cases: int, time_zone: str, now: datetime
) -> None:
    """Refuse an absence of more than half a working day that nobody covers, of a person who holds open work.

    Args:
        absence: what of it lies in the past is not counted: nobody can stand in then.
        delegations: in which somebody stands in for the person.
        open_cases: for how many the person is responsible, or stands in.
        time_zone: the branch's.
        now: the present.

    Raises:
        DelegateMissing: what is uncovered is over half a working day.
    """
    if open_cases == 0:
        return
    uncovered = _uncovered(absence, delegations, time_zone=time_zone, now=now)
    if uncovered > HALF_A_DAY:
        raise DelegateMissing(absence.person, uncovered=uncovered, open_cases=open_cases)


def require_reachable(person: str, standing: Standing, *, field: str, time_zone: str, now: datetime) -> None:
    """Refuse to make somebody responsible who is away for more than half a working day with nobody standing in.

    ``field`` is what named them in the request.

    Raises:
        AwayWithoutDelegate: the person is.
    """
    for absence in standing.absences:
        is_away = absence.person == person and absence.period.starts_at <= now
        if is_away and _uncovered(absence, standing.delegations, time_zone=time_zone, now=now) > HALF_A_DAY:
            raise AwayWithoutDelegate(absence, field=field)


def _uncovered(absence: Absence, delegations: Iterable[Delegation], *, time_zone: str, now: datetime) -> timedelta:
    """The working time to come of an absence in which nobody stands in."""
    if absence.period.ends_at <= now:
        return timedelta()
    to_come = Period(max(absence.period.starts_at, now), absence.period.ends_at)
    covered = [each.period for each in delegations if each.principal == absence.person and each.cancelled_at is None]
    return sum((working_time(part, time_zone=time_zone) for part in to_come.without(covered)), start=timedelta())


def stood_in_for(delegate: str, delegations: Iterable[Delegation], period: Period) -> set[str]:
    """For whom a person stands in at some moment of a period, directly or through others."""
    touching = [each for each in delegations if each.cancelled_at is None and each.period.overlaps(period)]
    found: set[str] = set()
    reached = {delegate}
    while reached:
        reached = {each.principal for each in touching if each.delegate in reached} - found - {delegate}
        found |= reached
    return found


Ending = TypeVar("Ending", Delegation, Absence)


def end(what: Ending, *, now: datetime) -> Ending:
    """Let it end now, earlier than was meant.

    Raises:
        Refused: it has not begun, is over, or is cancelled.
    """
    if what.cancelled_at is not None or what.period.ends_at <= now:
        raise AlreadyOver(_kind(what))
    if what.period.starts_at > now:
        raise NotBegun(_kind(what))
    return replace(what, period=Period(what.period.starts_at, now))


def cancel(what: Ending, *, now: datetime) -> Ending:
    """Let it never be.

    Raises:
        Refused: it has begun, is over, or is cancelled.
    """
    if what.cancelled_at is not None or what.period.ends_at <= now:
        raise AlreadyOver(_kind(what))
    if what.period.starts_at <= now:
        raise AlreadyBegun(_kind(what))
    return replace(what, cancelled_at=now)


def broken_off(what: Ending, *, now: datetime) -> Ending:
    """Ended if it has begun, else cancelled."""
    return end(what, now=now) if what.period.starts_at <= now else cancel(what, now=now)


def working_time(period: Period, *, time_zone: str) -> timedelta:
    """How much of a period is working time, by the office hours in a time zone."""
    zone = ZoneInfo(time_zone)
    total = timedelta()
    for day in _weekdays(period, zone):
        for opens, closes in OFFICE_HOURS:
            begins = max(datetime.combine(day, opens, zone), period.starts_at)
            ends = min(datetime.combine(day, closes, zone), period.ends_at)
            # Both in UTC: across a change of the clocks the difference of wall times is another.
            total += max(ends.timestamp() - begins.timestamp(), 0) * timedelta(seconds=1)
    return total


def _weekdays(period: Period, zone: ZoneInfo) -> Iterator[date]:
    day = period.starts_at.astimezone(zone).date()
    last = period.ends_at.astimezone(zone).date()
    while day <= last:
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


def _reached(person: str, delegations: Sequence[Delegation]) -> set[str]:
    found: set[str] = set()
    reached = {person}
    while reached:
        reached = {each.delegate for each in delegations if each.principal in reached} - found
        found |= reached
    return found


def _kind(what: Delegation | Absence) -> str:
    return "delegation" if isinstance(what, Delegation) else "absence"


def _said(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
