"""Erasing a person's data, and who looked at such data."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from shouwen.contracts.event import Identifier, Instant
from shouwen.intake.domain.erasure import Erasure, FoundBy, State, Whose
from shouwen.intake.handlers import erasure
from shouwen.intake.http.fields import ClientIdentifier, Email, Phone, Sent, Words, place_of
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page, row_place
from shouwen.runtime.unit_of_work import UnitOfWork


class ErasureSent(Sent):
    """Whose data are to be erased: exactly one of the three says who."""

    client_identifier: ClientIdentifier | None = Field(None, description="Of the client")
    phone: Phone | None = Field(None, description="Of the requester")
    email: Email | None = Field(None, description="Of the requester")
    reason: Words = Field(description="Why, as the number of the person's own request")

    @model_validator(mode="after")
    def _names_one(self) -> "ErasureSent":
        if sum(each is not None for each in (self.client_identifier, self.phone, self.email)) != 1:
            raise ValueError("needs exactly one of client_identifier, phone and email")
        return self

    def person(self, protection: Protection) -> tuple[FoundBy, str]:
        """What the person's cases are found by."""
        if self.phone is not None:
            return "phone", protection.hash_phone(self.phone) or ""
        if self.email is not None:
            return "email", protection.hash(self.email) or ""
        return "client_identifier", protection.hash(self.client_identifier) or ""


class ErasureShown(BaseModel):
    """An erasure. It names nobody; ``person_hash`` tells two of them apart."""

    id: UUID
    whose: Whose
    found_by: FoundBy
    person_hash: str
    state: State
    cases: int = Field(description="How many cases hold the data, or held them")
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = Field(description="The second person; null while it waits, or when it was taken back")
    decided_at: datetime | None

    @classmethod
    def of(cls, one: Erasure) -> "ErasureShown":
        """The erasure as it is now."""
        return cls(
            id=one.id,
            whose=one.whose,
            found_by=one.found_by,
            person_hash=one.person_hash,
            state=one.state,
            cases=one.cases,
            proposed_by=one.proposed_by,
            proposed_at=one.proposed_at,
            decided_by=one.decided_by,
            decided_at=one.decided_at,
        )


class ErasureListed(ErasureShown):
    """An erasure with its reason."""

    reason: str


class LookShown(BaseModel):
    """Somebody saw these fields of a case unmasked, or a mail as it came."""

    id: int
    time: datetime
    person: str
    number: str | None = Field(description="Null: a mail that belongs to no case; its id stands in fields")
    branch: str = Field(description="Empty: a mail of no branch yet")
    fields: list[str]
    trace_id: str | None


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""
    refused: dict[int | str, dict[str, Any]] = {409: {"description": "Cases are open, or there is nothing to erase"}}

    @router.post("/erasures", status_code=201, tags=["personal data"], responses=refused)
    async def propose_erasure(body: ErasureSent, caller: Caller) -> ErasureShown:
        """Ask for a person's data to be erased in all branches. Role `group_admin`; a second one decides."""
        found_by, person_hash = body.person(protection)
        async with work.as_person(caller) as tx:
            asked = await erasure.propose_erasure(
                tx, found_by=found_by, person_hash=person_hash, reason=body.reason, protection=protection
            )
        return ErasureShown.of(asked)

    @router.post("/erasures/{erasure_id}/confirm", tags=["personal data"], responses=refused)
    async def confirm_erasure(erasure_id: UUID, caller: Caller) -> ErasureShown:
        """Erase, as the second person. It cannot be undone. Role `group_admin`."""
        async with work.as_person(caller) as tx:
            return ErasureShown.of(await erasure.confirm_erasure(tx, erasure_id, protection=protection))

    @router.post("/erasures/{erasure_id}/reject", tags=["personal data"], responses=refused)
    async def reject_erasure(erasure_id: UUID, caller: Caller) -> ErasureShown:
        """Leave the data as they are; who asked may take it back so. Role `group_admin`."""
        async with work.as_person(caller) as tx:
            return ErasureShown.of(await erasure.reject_erasure(tx, erasure_id))

    @router.get("/erasures", tags=["personal data"])
    async def list_erasures(
        caller: Caller,
        limit: Limit,
        after: After,
        state: Annotated[Literal["proposed", "done", "rejected"] | None, Query()] = None,
    ) -> Page[ErasureListed]:
        """The erasures, the newest first. Roles `group_admin`, `group_auditor`."""
        place = place_of(after)
        async with work.as_person(caller) as tx:
            page = await erasure.list_erasures(tx, after=place, state=state, limit=limit + 1, protection=protection)
        items = [ErasureListed(**ErasureShown.of(each).model_dump(), reason=reason) for each, reason in page[:limit]]
        return Page(items=items, next=str(items[-1].id) if len(page) > limit else None)

    @router.get("/looks", tags=["personal data"])
    async def list_looks(
        caller: Caller,
        limit: Limit,
        after: After,
        person: Annotated[Identifier | None, Query(description="Who looked")] = None,
        number: Annotated[
            str | None, Query(max_length=40, pattern=r"^[A-Z]{2,4}-[-0-9]{1,30}$", description="At which case")
        ] = None,
        since: Annotated[Instant | None, Query()] = None,
        until: Annotated[Instant | None, Query()] = None,
    ) -> Page[LookShown]:
        """Who saw personal data unmasked, the newest look first. Role `group_auditor`."""
        place = row_place(after)
        async with work.as_person(caller) as tx:
            page = await erasure.list_looks(
                tx, after=place, person=person, number=number, since=since, until=until, limit=limit + 1
            )
        items = [
            LookShown(
                id=each.id,
                time=each.at,
                person=each.person,
                number=each.number,
                branch=each.branch,
                fields=list(each.fields),
                trace_id=each.trace_id,
            )
            for each in page[:limit]
        ]
        return Page(items=items, next=str(items[-1].id) if len(page) > limit else None)
