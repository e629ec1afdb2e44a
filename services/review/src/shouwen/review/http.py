"""The REST API of review. Names and identifiers are shown masked; the clear ones rest encrypted."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shouwen.contracts.event import BranchCode, Identifier
from shouwen.review import handlers
from shouwen.review.domain.entry import EntryState
from shouwen.review.domain.identifiers import Kind
from shouwen.review.handlers import Particulars
from shouwen.review.store import Client, EntryFact, FiledEntry, Protection, Screening
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import Invalid
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.privacy import mask_identifier, mask_name
from shouwen.runtime.unit_of_work import UnitOfWork

Name = Annotated[str, Field(min_length=2, max_length=200, description="Name of the person or company")]
IdentifierText = Annotated[
    str, Field(min_length=15, max_length=40, description="Resident ID number or unified social credit code")
]
ReasonText = Annotated[str, Field(min_length=2, max_length=2000, description="Why, for the file")]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RegisterClient(_Command):
    """A client to be put on file."""

    branch: BranchCode
    kind: Kind
    name: Name
    identifier: IdentifierText
    consent: bool = Field(description="The client has agreed to the check of its data")


class ClientView(BaseModel):
    """A client on file, masked."""

    id: UUID
    number: str
    branch: str
    kind: Kind
    name: str
    identifier: str
    consent_at: datetime
    registered_at: datetime
    registered_by: str


class ProposeEntry(_Command):
    """A client to be put on the list."""

    branch: BranchCode
    name: Name
    identifier: IdentifierText
    reason_code: Identifier = Field(description="As forged_documents; shown where a service is refused")
    reason: ReasonText


class Reason(_Command):
    """Why the step is taken."""

    reason: ReasonText


class EntryFactView(BaseModel):
    """One line of an entry's history."""

    state: EntryState
    at: datetime
    person: str
    reason: str | None


class EntryView(BaseModel):
    """A list entry, masked."""

    id: UUID
    branch: str
    name: str
    identifier: str
    reason_code: str
    state: EntryState
    in_force: bool
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    listed_at: datetime | None
    appealed_by: str | None
    appealed_at: datetime | None
    lifted_by: str | None
    lifted_at: datetime | None


class EntryWithHistory(EntryView):
    """A list entry with everything that was done to it, oldest first."""

    history: list[EntryFactView]


class HitView(BaseModel):
    """A list entry that matches."""

    list_entry_id: UUID
    match: Literal["identifier", "name"]
    reason_code: str


class ScreeningView(BaseModel):
    """What the client of a case was found to match; no hit means clear."""

    id: UUID
    subject: str
    branch: str
    screened_at: datetime
    hits: list[HitView]
    trace_id: str | None


class Question(_Command):
    """Whom to look for on the list: an identifier, a name, or better both."""

    identifier: IdentifierText | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> "Question":
        if self.identifier is None and self.name is None:
            raise ValueError("give an identifier, a name, or both")
        return self


class Answer(BaseModel):
    """Whether the client may be served. ``listed`` rests on the identifier alone; near names are for a person."""

    listed: bool
    reason_code: str | None
    hits: list[HitView]


def routes(work: UnitOfWork, protection: Protection) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api")

    @router.post("/clients", status_code=201, tags=["clients"])
    async def register_client(command: RegisterClient, caller: Caller) -> ClientView:
        async with work.as_person(caller) as tx:
            client = await handlers.register_client(
                tx,
                Particulars(command.name, command.identifier),
                branch=command.branch,
                kind=command.kind,
                consent=command.consent,
                protection=protection,
            )
        return _client_view(client, protection)

    @router.get("/clients", tags=["clients"])
    async def clients(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: BranchCode | None = None,
        identifier: Annotated[str | None, Query(max_length=40)] = None,
    ) -> Page[ClientView]:
        async with work.as_person(caller) as tx:
            found = await handlers.clients(
                tx,
                branch=branch,
                identifier=identifier,
                after=_id(after),
                limit=limit,
                protection=protection,
            )
        items = [_client_view(client, protection) for client in found]
        return Page(items=items, next=_next(items, limit))

    @router.get("/clients/{client_id}", tags=["clients"])
    async def client(client_id: UUID, caller: Caller) -> ClientView:
        async with work.as_person(caller) as tx:
            return _client_view(await handlers.show_client(tx, client_id), protection)

    @router.post("/list-entries", status_code=201, tags=["list"])
    async def propose_entry(command: ProposeEntry, caller: Caller) -> EntryView:
        async with work.as_person(caller) as tx:
            filed = await handlers.propose_entry(
                tx,
                Particulars(command.name, command.identifier),
                branch=command.branch,
                reason_code=command.reason_code,
                reason=command.reason,
                protection=protection,
            )
        return _entry_view(filed, protection)

    @router.get("/list-entries", tags=["list"])
    async def list_entries(
        caller: Caller,
        limit: Limit,
        after: After,
        state: EntryState | None = None,
        identifier: Annotated[str | None, Query(max_length=40)] = None,
    ) -> Page[EntryView]:
        async with work.as_person(caller) as tx:
            found = await handlers.list_entries(
                tx, state=state, identifier=identifier, after=_id(after), limit=limit, protection=protection
            )
        items = [_entry_view(filed, protection) for filed in found]
        return Page(items=items, next=_next(items, limit))

    @router.get("/list-entries/{entry_id}", tags=["list"])
    async def list_entry(entry_id: UUID, caller: Caller) -> EntryWithHistory:
        async with work.as_person(caller) as tx:
            filed, facts = await handlers.show_entry(tx, entry_id)
        history = [_fact_view(fact, protection) for fact in facts]
        return EntryWithHistory(**_entry_view(filed, protection).model_dump(), history=history)

    @router.post("/list-entries/{entry_id}/confirm", tags=["list"])
    async def confirm_entry(entry_id: UUID, caller: Caller) -> EntryView:
        async with work.as_person(caller) as tx:
            filed = await handlers.confirm_entry(tx, entry_id, protection=protection)
        return _entry_view(filed, protection)

    @router.post("/list-entries/{entry_id}/appeal", tags=["list"])
    async def appeal_entry(entry_id: UUID, command: Reason, caller: Caller) -> EntryView:
        async with work.as_person(caller) as tx:
            filed = await handlers.appeal_entry(tx, entry_id, reason=command.reason, protection=protection)
        return _entry_view(filed, protection)

    @router.post("/list-entries/{entry_id}/lift", tags=["list"])
    async def lift_entry(entry_id: UUID, command: Reason, caller: Caller) -> EntryView:
        async with work.as_person(caller) as tx:
            filed = await handlers.lift_entry(tx, entry_id, reason=command.reason, protection=protection)
        return _entry_view(filed, protection)

    @router.post("/screen", tags=["screening"])
    async def screen(question: Question, caller: Caller) -> Answer:
        async with work.as_person(caller) as tx:
            hits = await handlers.ask(tx, identifier=question.identifier, name=question.name, protection=protection)
        exact = next((hit for hit in hits if hit.match == "identifier"), None)
        return Answer(
            listed=exact is not None,
            reason_code=exact.reason_code if exact else None,
            hits=[HitView.model_validate(hit.model_dump()) for hit in hits],
        )

    @router.get("/screenings", tags=["screening"])
    async def screenings(
        caller: Caller,
        limit: Limit,
        after: After,
        subject: Annotated[str | None, Query(max_length=1000, description="As case/{id}")] = None,
    ) -> Page[ScreeningView]:
        async with work.as_person(caller) as tx:
            found = await handlers.screenings(tx, subject=subject, after=_id(after), limit=limit)
        items = [_screening_view(screening) for screening in found]
        return Page(items=items, next=_next(items, limit))

    return router


def _client_view(client: Client, protection: Protection) -> ClientView:
    return ClientView(
        id=client.id,
        number=client.number,
        branch=client.branch,
        kind=client.kind,
        name=mask_name(protection.keys.decrypt(client.name)),
        identifier=mask_identifier(protection.keys.decrypt(client.identifier)),
        consent_at=client.consent_at,
        registered_at=client.registered_at,
        registered_by=client.registered_by,
    )


def _entry_view(filed: FiledEntry, protection: Protection) -> EntryView:
    entry = filed.entry
    return EntryView(
        id=entry.id,
        branch=entry.branch,
        name=mask_name(protection.keys.decrypt(filed.name)),
        identifier=mask_identifier(protection.keys.decrypt(filed.identifier)),
        reason_code=entry.reason_code,
        state=entry.state,
        in_force=entry.is_in_force,
        proposed_by=entry.proposed_by,
        proposed_at=entry.proposed_at,
        confirmed_by=entry.confirmed_by,
        listed_at=entry.listed_at,
        appealed_by=entry.appealed_by,
        appealed_at=entry.appealed_at,
        lifted_by=entry.lifted_by,
        lifted_at=entry.lifted_at,
    )


def _fact_view(fact: EntryFact, protection: Protection) -> EntryFactView:
    reason = protection.keys.decrypt(fact.reason) if fact.reason else None
    return EntryFactView(state=fact.state, at=fact.at, person=fact.person, reason=reason)


def _screening_view(screening: Screening) -> ScreeningView:
    return ScreeningView(
        id=screening.id,
        subject=screening.subject,
        branch=screening.branch,
        screened_at=screening.screened_at,
        hits=[HitView.model_validate(hit) for hit in screening.hits],
        trace_id=telemetry.trace_id_of(screening.traceparent),
    )


def _id(after: str | None) -> UUID | None:
    try:
        return None if after is None else UUID(after)
    except ValueError:
        raise Invalid(
            "This is not where a page ended.", field="after", remedy="Send the 'next' of the page before, unchanged."
        ) from None


def _next(items: list[ClientView] | list[EntryView] | list[ScreeningView], limit: int) -> str | None:
    return str(items[-1].id) if len(items) == limit else None
