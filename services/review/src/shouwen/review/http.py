"""REST in: clients, the list of dishonest clients, and screening."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from shouwen.contracts.client import Hit
from shouwen.contracts.event import BranchCode
from shouwen.review import handlers, store
from shouwen.review.domain.identity import Kind
from shouwen.review.domain.listing import EntryState, StepName
from shouwen.review.domain.registration import Form
from shouwen.review.handlers import Proposal, Shown
from shouwen.review.store import FiledClient, FiledEntry, Protection, Screening, Step
from shouwen.runtime.auth import Caller, Principal
from shouwen.runtime.errors import Invalid
from shouwen.runtime.http import After, Limit, Page, row_place
from shouwen.runtime.privacy import mask_identifier, mask_name
from shouwen.runtime.telemetry import trace_id_of
from shouwen.runtime.unit_of_work import UnitOfWork

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\u0000-\u001f\u007f]*$")]
IdentifierText = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\u0000-\u001f\u007f]*$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,59}$")]
Words = Annotated[
    str, StringConstraints(min_length=1, max_length=4000, pattern=r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f]*$")
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ClientForm(_Request):
    """A client to be put on file."""

    branch: BranchCode
    kind: Kind
    name: Name = Field(description="As the original document has it")
    identifier: IdentifierText = Field(description="Resident identity number, or unified social credit code")
    consent: bool = Field(description="Whether the client has agreed to be registered and looked up (002 六3)")
    originals_seen: list[Code] = Field([], max_length=20, description="Documents whose originals were shown")


class ProposalForm(_Request):
    """A client who should be on the list: ``client_id``, or ``branch``, ``identifier`` and ``name``."""

    branch: BranchCode | None = Field(
        None, description="The branch that proposes; a client's own when client_id is given"
    )
    client_id: UUID | None = None
    identifier: IdentifierText | None = None
    name: Name | None = None
    kind: Kind | None = Field(None, description="Without it the identifier decides")
    reason_code: Code = Field(description="For programs, as forged_documents; it travels to the other services")
    reason: Words = Field(description="For the persons who decide; it stays here, encrypted")
    serious: bool = Field(False, description="A forgery that may be a crime: once confirmed it has to be referred")


class AppealForm(_Request):
    """Why a client should be taken off the list."""

    reason: Words


class DecisionForm(_Request):
    """A decision, with a word about it if there is one."""

    reason: Words | None = None


class ReferralForm(_Request):
    """That a serious forgery was reported to the judiciary."""

    authority: Name = Field(description="Which authority took the report, and under which number")
    referred_at: AwareDatetime | None = Field(None, description="When; now unless given")


class ReferralView(BaseModel):
    """A referral."""

    client_id: UUID
    referred_at: datetime
    referred_by: str


class Question(_Request):
    """Who is to be served? At least one of both."""

    identifier: IdentifierText | None = None
    name: Name | None = None


class ClientView(BaseModel):
    """A client, masked."""

    id: UUID
    number: str
    branch: str
    kind: Kind
    name: str | None = Field(description="A person's name is masked; null once the client was erased")
    identifier: str | None = Field(description="Masked; null once the client was erased")
    originals_seen: list[str]
    registered_by: str
    registered_at: datetime
    listed: bool = Field(description="Whether the client is on the list of dishonest clients now")
    reason_code: str | None = Field(description="Why the client is on the list")
    erased_at: datetime | None = Field(description="When name and identifier were taken out of the file")


class StepView(BaseModel):
    """One line of an entry's history."""

    step: StepName
    at: datetime
    person: str
    reason: str | None = Field(description="Shown to the branch of the entry and to group roles")


class EntryView(BaseModel):
    """An entry of the list."""

    id: UUID
    branch: str
    client_id: UUID | None
    kind: Kind
    name: str = Field(description="A person's name is masked")
    identifier: str = Field(description="Masked")
    reason_code: str
    serious: bool
    state: EntryState
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None
    appealed_by: str | None
    appealed_at: datetime | None
    lifted_by: str | None
    lifted_at: datetime | None
    history: list[StepView]


class ScreeningView(BaseModel):
    """How a case's client was held against the list; no hits means clear."""

    id: UUID
    subject: str = Field(description="case/{id}")
    branch: str
    screened_at: datetime
    hits: list[Hit]
    trace_id: str | None


class AnswerView(BaseModel):
    """Yes or no, with the reason."""

    allowed: bool = Field(description="False: the identifier is on the list of dishonest clients, give no service")
    reason_code: str | None = Field(description="Why not")
    needs_review: bool = Field(description="A listed name is near: let a person look before you decide")
    identifier_valid: bool | None = Field(description="False: the identifier has a typing error, so ask again")
    hits: list[Hit]


def routes(work: UnitOfWork, protection: Protection, *, time_zone: str) -> APIRouter:
    """The routes of review."""
    router = APIRouter(prefix="/api")
    show = _Views(protection)
    _add_clients(router, work, protection, show, time_zone=time_zone)
    _add_list(router, work, protection, show, time_zone=time_zone)
    _add_screening(router, work, protection, time_zone=time_zone)
    return router


def _add_clients(
    router: APIRouter, work: UnitOfWork, protection: Protection, show: "_Views", *, time_zone: str
) -> None:
    @router.post("/clients", tags=["clients"], status_code=status.HTTP_201_CREATED)
    async def register_client(body: ClientForm, caller: Caller) -> ClientView:  # pyright: ignore[reportUnusedFunction]
        """Put a client on file under a numbered form."""
        form = Form(
            branch=body.branch,
            kind=body.kind,
            name=body.name,
            identifier=body.identifier,
            consent=body.consent,
            originals_seen=tuple(body.originals_seen),
        )
        async with work.as_person(caller) as tx:
            filed = await handlers.register_client(tx, form, protection=protection, time_zone=time_zone)
        return show.client(filed)

    @router.get("/clients", tags=["clients"])
    async def list_clients(  # pyright: ignore[reportUnusedFunction]
        caller: Caller,
        limit: Limit,
        after: After,
        number: Annotated[str | None, Query(max_length=100, description="The number of a form")] = None,
    ) -> Page[ClientView]:
        """Clients of the caller's branches, in the order of registration."""
        async with work.as_person(caller) as tx:
            found = await store.clients(tx, after=row_place(after) or 0, number=number, limit=limit + 1)
        place = str(found[limit - 1].seq) if len(found) > limit else None
        return Page(items=[show.client(each) for each in found[:limit]], next=place)

    @router.get("/clients/{client_id}", tags=["clients"])
    async def get_client(client_id: UUID, caller: Caller) -> ClientView:  # pyright: ignore[reportUnusedFunction]
        """One client, masked."""
        async with work.as_person(caller) as tx:
            return show.client(await handlers.show_client(tx, client_id))

    @router.post("/clients/{client_id}/referral", tags=["clients"], status_code=status.HTTP_201_CREATED)
    async def refer(client_id: UUID, body: ReferralForm, caller: Caller) -> ReferralView:  # pyright: ignore[reportUnusedFunction]
        """Record that a confirmed, serious forgery was reported to the judiciary (manager, general_manager)."""
        async with work.as_person(caller) as tx:
            fact = await handlers.refer(
                tx, client_id, authority=body.authority, referred_at=body.referred_at, protection=protection
            )
        return ReferralView(client_id=fact.client_id, referred_at=fact.referred_at, referred_by=fact.referred_by)


def _add_list(router: APIRouter, work: UnitOfWork, protection: Protection, show: "_Views", *, time_zone: str) -> None:
    @router.post("/list-entries", tags=["list"], status_code=status.HTTP_201_CREATED)
    async def propose(body: ProposalForm, caller: Caller) -> EntryView:  # pyright: ignore[reportUnusedFunction]
        """Propose a client for the list; it has no effect until another person confirms it."""
        proposal = Proposal(
            branch=body.branch,
            reason_code=body.reason_code,
            reason=body.reason,
            client_id=body.client_id,
            identifier=body.identifier,
            name=body.name,
            kind=body.kind,
            serious=body.serious,
        )
        async with work.as_person(caller) as tx:
            shown = await handlers.propose(tx, proposal, protection=protection, time_zone=time_zone)
        return show.entry(shown.filed, shown.steps, caller)

    @router.get("/list-entries", tags=["list"])
    async def list_entries(  # pyright: ignore[reportUnusedFunction]
        caller: Caller, limit: Limit, after: After, state: EntryState | None = None
    ) -> Page[EntryView]:
        """Who is or was on the list, in the whole group; proposals of the caller's branches only."""
        async with work.as_person(caller) as tx:
            found = await store.entries(tx, after=row_place(after) or 0, state=state, limit=limit + 1)
            steps = await store.steps(tx, [each.entry.id for each in found[:limit]])
        place = str(found[limit - 1].seq) if len(found) > limit else None
        views = [show.entry(each, steps.get(each.entry.id, ()), caller) for each in found[:limit]]
        return Page(items=views, next=place)

    @router.get("/list-entries/{entry_id}", tags=["list"])
    async def get_entry(entry_id: UUID, caller: Caller) -> EntryView:  # pyright: ignore[reportUnusedFunction]
        """One entry with its history."""
        async with work.as_person(caller) as tx:
            shown = await handlers.show_entry(tx, entry_id)
        return show.entry(shown.filed, shown.steps, caller)

    @router.post("/list-entries/{entry_id}/appeal", tags=["list"])
    async def appeal(entry_id: UUID, body: AppealForm, caller: Caller) -> EntryView:  # pyright: ignore[reportUnusedFunction]
        """Take up a client's appeal; the client stays on the list until another person lifts the entry."""
        async with work.as_person(caller) as tx:
            shown: Shown = await handlers.appeal(tx, entry_id, reason=body.reason, protection=protection)
        return show.entry(shown.filed, shown.steps, caller)

    async def decide(
        entry_id: UUID, decision: handlers.Decision, body: DecisionForm | None, caller: Principal
    ) -> EntryView:
        reason = body.reason if body is not None else None
        async with work.as_person(caller) as tx:
            shown = await handlers.decide(tx, entry_id, decision, reason=reason, protection=protection)
        return show.entry(shown.filed, shown.steps, caller)

    @router.post("/list-entries/{entry_id}/confirm", tags=["list"])
    async def confirm(entry_id: UUID, caller: Caller, body: DecisionForm | None = None) -> EntryView:  # pyright: ignore[reportUnusedFunction]
        """Confirm a proposal as the second person (manager, general_manager): the client is on the list."""
        return await decide(entry_id, "confirm", body, caller)

    @router.post("/list-entries/{entry_id}/lift", tags=["list"])
    async def lift(entry_id: UUID, caller: Caller, body: DecisionForm | None = None) -> EntryView:  # pyright: ignore[reportUnusedFunction]
        """Grant an appeal as the second person (manager, general_manager): the client is off the list."""
        return await decide(entry_id, "lift", body, caller)

    @router.post("/list-entries/{entry_id}/reject", tags=["list"])
    async def reject(entry_id: UUID, caller: Caller, body: DecisionForm | None = None) -> EntryView:  # pyright: ignore[reportUnusedFunction]
        """Turn a proposal or an appeal down as the second person (manager, general_manager)."""
        return await decide(entry_id, "reject", body, caller)


def _add_screening(router: APIRouter, work: UnitOfWork, protection: Protection, *, time_zone: str) -> None:
    @router.get("/screenings", tags=["screening"])
    async def list_screenings(  # pyright: ignore[reportUnusedFunction]
        caller: Caller,
        limit: Limit,
        after: After,
        subject: Annotated[str | None, Query(max_length=300, description="As case/{id}")] = None,
    ) -> Page[ScreeningView]:
        """How the clients of cases were held against the list."""
        case_id = _case_id(subject)
        if subject is not None and case_id is None:
            return Page(items=[])
        async with work.as_person(caller) as tx:
            found = await store.screenings(tx, after=row_place(after) or 0, case_id=case_id, limit=limit + 1)
        place = str(found[limit - 1].seq) if len(found) > limit else None
        return Page(items=[_screening(each) for each in found[:limit]], next=place)

    @router.post("/screen", tags=["screening"])
    async def screen(body: Question, caller: Caller) -> AnswerView:  # pyright: ignore[reportUnusedFunction]
        """May this client be served? For any service or system of the group, before a contract or a publication."""
        if body.identifier is None and body.name is None:
            raise Invalid("Who is it?", field="identifier", remedy="Give identifier, name, or better both.")
        async with work.as_person(caller) as tx:
            answer = await handlers.ask(
                tx, identifier=body.identifier, name=body.name, protection=protection, time_zone=time_zone
            )
        proof = next((hit for hit in answer.hits if hit.match == "identifier"), None)
        return AnswerView(
            allowed=proof is None,
            reason_code=proof.reason_code if proof is not None else None,
            needs_review=proof is None and any(hit.match == "name" for hit in answer.hits),
            identifier_valid=answer.identifier_valid,
            hits=list(answer.hits),
        )


class _Views:
    """Opens what rests encrypted, and shows as much of it as a person may see."""

    def __init__(self, protection: Protection) -> None:
        self._keys = protection.keys

    def client(self, filed: FiledClient) -> ClientView:
        client, particulars = filed.client, filed.particulars
        return ClientView(
            id=client.id,
            number=client.number,
            branch=client.branch,
            kind=client.kind,
            name=None if particulars is None else self._name(particulars.name, client.kind),
            identifier=None if particulars is None else mask_identifier(self._keys.decrypt(particulars.identifier)),
            originals_seen=list(client.originals_seen),
            registered_by=client.registered_by,
            registered_at=client.registered_at,
            listed=filed.listed_for is not None,
            reason_code=filed.listed_for,
            erased_at=filed.erased_at,
        )

    def entry(self, filed: FiledEntry, steps: Sequence[Step], caller: Principal) -> EntryView:
        entry = filed.entry
        return EntryView(
            id=entry.id,
            branch=entry.branch,
            client_id=entry.client_id,
            kind=entry.kind,
            name=self._name(filed.particulars.name, entry.kind),
            identifier=mask_identifier(self._keys.decrypt(filed.particulars.identifier)),
            reason_code=entry.reason_code,
            serious=entry.serious,
            state=entry.state,
            proposed_by=entry.proposed_by,
            proposed_at=entry.proposed_at,
            confirmed_by=entry.confirmed_by,
            confirmed_at=entry.confirmed_at,
            appealed_by=entry.appealed_by,
            appealed_at=entry.appealed_at,
            lifted_by=entry.lifted_by,
            lifted_at=entry.lifted_at,
            history=[self._step(each, own=caller.sees_all or entry.branch in caller.branches) for each in steps],
        )

    def _step(self, step: Step, *, own: bool) -> StepView:
        reason = self._keys.decrypt(step.reason) if own and step.reason is not None else None
        return StepView(step=step.step, at=step.at, person=step.person, reason=reason)

    def _name(self, name: bytes, kind: Kind) -> str:
        text = self._keys.decrypt(name)
        return mask_name(text) if kind == "individual" else text


def _screening(found: Screening) -> ScreeningView:
    return ScreeningView(
        id=found.case_id,
        subject=f"case/{found.case_id}",
        branch=found.branch,
        screened_at=found.screened_at,
        hits=list(found.hits),
        trace_id=trace_id_of(found.traceparent),
    )


def _case_id(subject: str | None) -> UUID | None:
    kind, _, identity = (subject or "").partition("/")
    try:
        return UUID(identity) if kind == "case" else None
    except ValueError:
        return None
