"""Absences, and who stands in (I-09; 003 §10(二))."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from shouwen.contracts.event import BranchCode, Identifier, Instant
from shouwen.intake.domain.delegation import Absence, Delegation
from shouwen.intake.handlers import delegations
from shouwen.intake.handlers.delegations import Away
from shouwen.intake.http.fields import Sent, place_of
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork


class DelegationSent(Sent):
    """Who stands in for whom, and when."""

    principal: Identifier | None = Field(None, description="Who is away; yourself unless given")
    delegate: Identifier = Field(description="Who stands in: a person of the same branch who works on cases")
    starts_at: Instant | None = Field(None, description="Now unless given; not in the past")
    ends_at: Instant


class AbsenceSent(Sent):
    """Who is away, and when. Why is not recorded."""

    person: Identifier | None = Field(None, description="Who is away; yourself unless given")
    starts_at: Instant | None = Field(None, description="Now unless given; may be in the past")
    ends_at: Instant
    delegate: Identifier | None = Field(None, description="Who stands in, unless that is arranged already")


class DelegationShown(BaseModel):
    """One person stands in for another."""

    id: UUID
    branch: str
    principal: str
    delegate: str
    starts_at: datetime
    ends_at: datetime
    named_by: str
    named_at: datetime
    cancelled_at: datetime | None

    @classmethod
    def of(cls, delegation: Delegation) -> "DelegationShown":
        """The delegation as it is shown."""
        return cls(
            id=delegation.id,
            branch=delegation.branch,
            principal=delegation.principal,
            delegate=delegation.delegate,
            starts_at=delegation.period.starts_at,
            ends_at=delegation.period.ends_at,
            named_by=delegation.named_by,
            named_at=delegation.named_at,
            cancelled_at=delegation.cancelled_at,
        )


class AbsenceShown(BaseModel):
    """Somebody is away."""

    id: UUID
    branch: str
    person: str
    starts_at: datetime
    ends_at: datetime
    recorded_by: str
    recorded_at: datetime
    cancelled_at: datetime | None
    delegation_id: UUID | None = Field(description="The delegation named together with it")

    @classmethod
    def of(cls, absence: Absence) -> "AbsenceShown":
        """The absence as it is shown."""
        return cls(
            id=absence.id,
            branch=absence.branch,
            person=absence.person,
            starts_at=absence.period.starts_at,
            ends_at=absence.period.ends_at,
            recorded_by=absence.recorded_by,
            recorded_at=absence.recorded_at,
            cancelled_at=absence.cancelled_at,
            delegation_id=absence.delegation_id,
        )


class AwayShown(AbsenceShown):
    """An absence, with the delegation named together with it."""

    delegation: DelegationShown | None

    @classmethod
    def away(cls, away: Away) -> "AwayShown":
        """Both as they are shown."""
        delegation = None if away.delegation is None else DelegationShown.of(away.delegation)
        return cls(**AbsenceShown.of(away.absence).model_dump(), delegation=delegation)


_REFUSED: dict[int | str, dict[str, Any]] = {409: {"description": "What else is arranged stands against it"}}


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""
    _add_delegations(router, work)
    _add_absences(router, work)


def _add_delegations(router: APIRouter, work: UnitOfWork) -> None:
    @router.post("/delegations", status_code=201, tags=["delegations"], responses=_REFUSED)
    async def name_delegate(body: DelegationSent, caller: Caller) -> DelegationShown:
        """Let somebody stand in for you; for others of the branch whoever directs its work does.

        The principal stays responsible for their cases; the delegate works on them and answers beside them.
        """
        async with work.as_person(caller) as tx:
            named = await delegations.name_delegate(
                tx, principal=body.principal, delegate=body.delegate, starts_at=body.starts_at, ends_at=body.ends_at
            )
        return DelegationShown.of(named)

    @router.get("/delegations", tags=["delegations"])
    async def list_delegations(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: Annotated[BranchCode | None, Query()] = None,
        principal: Annotated[Identifier | None, Query()] = None,
        delegate: Annotated[Identifier | None, Query()] = None,
        in_force: Annotated[bool, Query(description="Only those in which somebody stands in now")] = False,
    ) -> Page[DelegationShown]:
        """Who stands in for whom in your branches, the newest first."""
        place = place_of(after)
        async with work.as_person(caller) as tx:
            found = await delegations.list_delegations(
                tx,
                after=place,
                limit=limit + 1,
                branch=branch,
                principal=principal,
                delegate=delegate,
                in_force=in_force,
            )
        following = str(found[limit - 1].id) if len(found) > limit else None
        return Page(items=[DelegationShown.of(each) for each in found[:limit]], next=following)

    @router.post("/delegations/{delegation_id}/end", tags=["delegations"], responses=_REFUSED)
    async def end_delegation(delegation_id: UUID, caller: Caller) -> DelegationShown:
        """Let a delegation end now."""
        async with work.as_person(caller) as tx:
            return DelegationShown.of(await delegations.end_delegation(tx, delegation_id))

    @router.post("/delegations/{delegation_id}/cancel", tags=["delegations"], responses=_REFUSED)
    async def cancel_delegation(delegation_id: UUID, caller: Caller) -> DelegationShown:
        """Withdraw a delegation that has not begun."""
        async with work.as_person(caller) as tx:
            return DelegationShown.of(await delegations.cancel_delegation(tx, delegation_id))


def _add_absences(router: APIRouter, work: UnitOfWork) -> None:
    @router.post("/absences", status_code=201, tags=["delegations"], responses=_REFUSED)
    async def record_absence(body: AbsenceSent, caller: Caller) -> AwayShown:
        """Note that somebody is away.

        Over half a working day (4 hours of 09:00–12:00 and 13:00–18:00, Monday to Friday, in the branch's zone) it
        needs a delegate if the person holds open work.
        """
        async with work.as_person(caller) as tx:
            away = await delegations.record_absence(
                tx, person=body.person, delegate=body.delegate, starts_at=body.starts_at, ends_at=body.ends_at
            )
        return AwayShown.away(away)

    @router.get("/absences", tags=["delegations"])
    async def list_absences(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: Annotated[BranchCode | None, Query()] = None,
        person: Annotated[Identifier | None, Query()] = None,
        now_only: Annotated[bool, Query(description="Only who is away now")] = False,
    ) -> Page[AbsenceShown]:
        """Who is away in your branches, the newest first."""
        place = place_of(after)
        async with work.as_person(caller) as tx:
            found = await delegations.list_absences(
                tx, after=place, limit=limit + 1, branch=branch, person=person, now_only=now_only
            )
        following = str(found[limit - 1].id) if len(found) > limit else None
        return Page(items=[AbsenceShown.of(each) for each in found[:limit]], next=following)

    @router.post("/absences/{absence_id}/end", tags=["delegations"], responses=_REFUSED)
    async def end_absence(absence_id: UUID, caller: Caller) -> AwayShown:
        """Somebody came back early; the delegation named together with the absence ends, too."""
        async with work.as_person(caller) as tx:
            return AwayShown.away(await delegations.end_absence(tx, absence_id))

    @router.post("/absences/{absence_id}/cancel", tags=["delegations"], responses=_REFUSED)
    async def cancel_absence(absence_id: UUID, caller: Caller) -> AwayShown:
        """Somebody will not be away after all; the delegation named together with the absence is withdrawn, too."""
        async with work.as_person(caller) as tx:
            return AwayShown.away(await delegations.cancel_absence(tx, absence_id))
