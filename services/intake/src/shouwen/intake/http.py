"""The register's REST API: routes, and what a request and an answer look like."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote_to_bytes
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from shouwen.contracts.case import CaseState, CaseType, Channel, Relation, Severity
from shouwen.contracts.catalogue import BY_STREAM, parse, parse_structured
from shouwen.contracts.event import BadEvent, BranchCode, CloudEvent, Event, Identifier, Instant
from shouwen.contracts.group import GroupFact
from shouwen.intake import handlers
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.registration import Particulars, Registration
from shouwen.intake.handlers import Once, Shown
from shouwen.intake.store import Filters, Mark, Protection, TimelineRow
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import Invalid
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork

STRUCTURED = "application/cloudevents+json"
GROUP_STREAM = "group.v1"

_PHONE_FORM = r"^\+?[0-9][0-9 ()\-]{2,28}(?:[xX#,转][0-9]{1,8})?$"

Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=_PHONE_FORM)]
"""A phone number, with an extension if need be: digits, spaces, ( ) - and a leading +."""


def _printable(value: str) -> str:
    if any(character < " " and character not in "\t\n\r" for character in value):
        raise ValueError("holds a control character; only tabs and line breaks may stand in a text")
    return value


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
]
"""One line: 1 to 200 characters."""
Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), AfterValidator(_printable)
]
"""A text: 1 to 20,000 characters."""
ClientIdentifier = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[0-9A-Za-z][0-9A-Za-z \-]{1,39}$")
]
"""A resident ID number or unified social credit code: letters and digits."""

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Your own key of this request; the same request with it again has no second effect",
    ),
]
OptionalKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Your own key of this request, if it must not have a second effect when sent again",
    ),
]
Number = Annotated[
    str, Path(max_length=40, pattern=r"^[A-Z]{2,4}-[0-9]{4}-[0-9]{6,10}$", description="As BJ-2026-000001")
]


class Sent(BaseModel):
    """What a caller sends: a field that is not known is an error, not silently lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RequesterSent(Sent):
    """Who speaks (I-04). An anonymous requester has neither name nor phone."""

    name: Line | None = None
    phone: Phone | None = None
    relation: Relation = "other"


class ClientSent(Sent):
    """The client whom the matter is about."""

    name: Line
    identifier: ClientIdentifier | None = Field(
        None, description="Resident ID number or unified social credit code; found on the list of dishonest clients"
    )


class CaseSent(Sent):
    """A matter to be registered (I-01)."""

    type: CaseType
    channel: Channel
    branch: BranchCode
    severity: Severity | None = Field(None, description="Of a complaint: ordinary unless given; malicious is a finding")
    subject: Line
    description: Words
    received_at: Instant | None = Field(None, description="When the matter reached the group; now unless given")
    promised_at: Instant | None = Field(None, description="The reply time agreed with the requester (I-07)")
    requester: RequesterSent
    client: ClientSent | None = None
    owner: Identifier | None = Field(None, description="Who is responsible; unless given, whoever registers (I-05)")
    department: Identifier | None = None

    def registration(self) -> Registration:
        """The matter as the domain takes it."""
        return Registration(
            type=self.type,
            channel=self.channel,
            branch=self.branch,
            severity=self.severity,
            relation=self.requester.relation,
            received_at=self.received_at,
            promised_at=self.promised_at,
            owner=self.owner,
            department=self.department,
            particulars=Particulars(
                subject=self.subject,
                description=self.description,
                requester_name=self.requester.name,
                requester_phone=self.requester.phone,
                client_name=self.client.name if self.client else None,
                client_identifier=self.client.identifier if self.client else None,
            ),
        )


class AssignSent(Sent):
    """To whom the responsibility passes."""

    owner: Identifier = Field(description="A person of the branch, as GET /api/directory lists them")
    department: Identifier | None = Field(None, description="Unless given, the person's own")


class ReplySent(Sent):
    """An answer given to the requester."""

    text: Words | None = Field(None, description="What was answered")
    written: bool = Field(False, description="Whether in writing")
    replied_at: Instant | None = Field(None, description="When; now unless given")


class PlanSent(Sent):
    """A written plan that reached the requester (004 三(六))."""

    text: Words | None = Field(None, description="The plan, or where it is filed")
    delivered_at: Instant | None = Field(None, description="When; now unless given")


class ResolveSent(Sent):
    """How the matter ended."""

    summary: Words | None = Field(None, description="What was done")
    resolved_at: Instant | None = Field(None, description="When; now unless given")


class WithdrawSent(Sent):
    """Why the requester withdrew the matter."""

    reason: Words
    withdrawn_at: Instant | None = Field(None, description="When; now unless given")


class CaseAnswer(BaseModel):
    """A case in short, as the answer to a registration or a command."""

    id: UUID
    number: str
    trace_id: str | None
    state: CaseState

    @classmethod
    def of(cls, case: Case) -> "CaseAnswer":
        """The case as it is now."""
        return cls(id=case.id, number=case.number, trace_id=telemetry.trace_id_of(case.traceparent), state=case.state)


class WorkedAnswer(CaseAnswer):
    """The answer to a command."""

    owner: str
    department: str | None

    @classmethod
    def of(cls, case: Case) -> "WorkedAnswer":
        """The case after the command."""
        short = CaseAnswer.of(case)
        return cls(**short.model_dump(), owner=case.owner, department=case.department)


class RequesterShown(BaseModel):
    """Who spoke; name and phone are masked unless the case is yours to work on."""

    name: str | None
    phone: str | None
    relation: Relation


class ClientShown(BaseModel):
    """The client; the identifier is masked unless the case is yours to work on."""

    name: str | None
    identifier: str | None
    identifier_hash: str | None = Field(description="Finds the client's other cases: GET /api/cases?client=…")


class MarkShown(BaseModel):
    """A mark of the case; one that was lifted is history."""

    mark: Mark
    list_entry_id: UUID
    reason_code: str
    marked_at: datetime
    lifted_at: datetime | None


class NoteShown(BaseModel):
    """Words recorded with a fact of the case."""

    type: str
    time: datetime
    by: str
    text: str


class CaseListed(CaseAnswer):
    """A case in a list: personal data are masked to everyone."""

    branch: str
    type: CaseType
    severity: Severity | None
    channel: Channel
    subject: str
    received_at: datetime
    registered_at: datetime
    registrar: str
    owner: str
    department: str | None
    promised_at: datetime | None
    replied_at: datetime | None
    plan_delivered_at: datetime | None
    ended_at: datetime | None
    requester: RequesterShown
    client: ClientShown | None
    masked: bool = Field(description="Whether personal data are masked in this answer")

    @classmethod
    def shown(cls, shown: Shown) -> "CaseListed":
        """The case for a list."""
        return cls.model_validate(_case_fields(shown))


class CaseShown(CaseListed):
    """A case. Each answer with unmasked personal data is recorded as a look."""

    description: str
    marks: list[MarkShown]
    notes: list[NoteShown]

    @classmethod
    def shown(cls, shown: Shown) -> "CaseShown":
        """The case by itself."""
        return cls.model_validate(
            {
                **_case_fields(shown),
                "description": shown.particulars.description,
                "marks": [
                    MarkShown(
                        mark=each.mark,
                        list_entry_id=each.list_entry_id,
                        reason_code=each.reason_code,
                        marked_at=each.marked_at,
                        lifted_at=each.lifted_at,
                    )
                    for each in shown.marks
                ],
                "notes": [NoteShown(type=note.type, time=note.at, by=note.by, text=text) for note, text in shown.notes],
            }
        )


class TimelineEntry(BaseModel):
    """One line of a timeline: a fact of the case itself, or one heard from another service."""

    time: datetime
    type: str
    source: str = Field(description="Who told it, as /shouwen/sla")
    data: dict[str, Any] = Field(description="A few plain values; no words and no names of people")
    trace_id: str | None
    id: str = Field(description="The id of the event")

    @classmethod
    def of(cls, row: TimelineRow) -> "TimelineEntry":
        """The line as it is shown."""
        return cls(
            time=row.at,
            type=row.type,
            source=row.source,
            data=dict(row.details),
            trace_id=telemetry.trace_id_of(row.traceparent),
            id=row.event_id,
        )


class BranchShown(BaseModel):
    """A branch of the directory."""

    branch: str
    name: str
    number_prefix: str
    time_zone: str
    packs: list[str]


class PersonShown(BaseModel):
    """A person of the directory, without contact."""

    person: str
    name: str
    branch: str
    department: str | None
    roles: list[str]
    active: bool


class DirectoryShown(BaseModel):
    """Your branches, and who works there."""

    branches: list[BranchShown]
    persons: list[PersonShown]


class EventAccepted(BaseModel):
    """An event of another system that will be on ``group.v1``, unchanged."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    stream: Literal["group.v1"] = GROUP_STREAM


def routes(work: UnitOfWork, protection: Protection) -> APIRouter:
    """The routes of the register, over these transactions."""
    router = APIRouter(prefix="/api")
    _register_routes(router, work, protection)
    _command_routes(router, work, protection)
    _reading_routes(router, work, protection)
    _event_routes(router, work, protection)
    return router


def _register_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.post(
        "/cases",
        status_code=201,
        tags=["cases"],
        responses={
            200: {"model": CaseAnswer, "description": "The same request came before; this was its answer"},
            409: {"description": "Service is refused: the client is on the list of dishonest clients (002 六5)"},
        },
    )
    async def register_case(body: CaseSent, caller: Caller, key: Key, response: Response) -> CaseAnswer:
        """Register a matter: it gets its number, its first responsible person, and its trace."""
        once = _once(protection, key, "register", body)
        async with work.as_person(caller) as tx:
            registered = await handlers.register_case(tx, body.registration(), once=once, protection=protection)
        if not registered.is_new:
            response.status_code = 200
        # What was answered first is answered again, whatever has become of the case.
        return CaseAnswer.of(registered.case).model_copy(update={"state": "received"})


def _command_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    refused: dict[int | str, dict[str, Any]] = {409: {"description": "The case's state does not allow it"}}

    @router.post("/cases/{number}/assign", tags=["commands"], responses=refused)
    async def assign_case(number: Number, body: AssignSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Pass the responsibility to another person of the branch."""
        once = _once(protection, key, f"assign {number}", body) if key else None
        async with work.as_person(caller) as tx:
            case = await handlers.assign_case(tx, number, owner=body.owner, department=body.department, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/reply", tags=["commands"], responses=refused)
    async def reply_case(number: Number, body: ReplySent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record that the requester was answered."""
        once = _once(protection, key, f"reply {number}", body) if key else None
        note = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await handlers.reply_case(
                tx, number, replied_at=body.replied_at, written=body.written, note=note, once=once
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/plan", tags=["commands"], responses=refused)
    async def plan_case(number: Number, body: PlanSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record that a written plan reached the requester."""
        once = _once(protection, key, f"plan {number}", body) if key else None
        note = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await handlers.plan_case(tx, number, delivered_at=body.delivered_at, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/resolve", tags=["commands"], responses=refused)
    async def resolve_case(number: Number, body: ResolveSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """End the case: it was handled. All but a suggestion must have been answered before."""
        once = _once(protection, key, f"resolve {number}", body) if key else None
        note = protection.encrypt(body.summary)
        async with work.as_person(caller) as tx:
            case = await handlers.resolve_case(tx, number, resolved_at=body.resolved_at, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/withdraw", tags=["commands"], responses=refused)
    async def withdraw_case(
        number: Number, body: WithdrawSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """End the case: the requester withdrew it."""
        once = _once(protection, key, f"withdraw {number}", body) if key else None
        note = protection.encrypt(body.reason)
        async with work.as_person(caller) as tx:
            case = await handlers.withdraw_case(tx, number, withdrawn_at=body.withdrawn_at, note=note, once=once)
        return WorkedAnswer.of(case)


def _reading_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.get("/cases", tags=["cases"])
    async def list_cases(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: Annotated[BranchCode | None, Query()] = None,
        type: Annotated[CaseType | None, Query()] = None,
        state: Annotated[CaseState | None, Query()] = None,
        owner: Annotated[Identifier | None, Query(description="The person responsible")] = None,
        client: Annotated[
            str | None, Query(pattern=r"^[0-9a-f]{64}$", description="A client's identifier_hash, as a case shows it")
        ] = None,
    ) -> Page[CaseListed]:
        """The register, the newest case first."""
        filters = Filters(branch=branch, type=type, state=state, owner=owner, client=client)
        place = _case_place(after)
        async with work.as_person(caller) as tx:
            page = await handlers.list_cases(tx, filters, after=place, limit=limit + 1, protection=protection)
        following = str(page[limit - 1].case.id) if len(page) > limit else None
        return Page(items=[CaseListed.shown(each) for each in page[:limit]], next=following)

    @router.get("/cases/{number}", tags=["cases"])
    async def show_case(number: Number, caller: Caller) -> CaseShown:
        """One case."""
        async with work.as_person(caller) as tx:
            shown = await handlers.show_case(tx, number, protection=protection)
        return CaseShown.shown(shown)

    @router.get("/cases/{number}/timeline", tags=["cases"])
    async def show_timeline(number: Number, caller: Caller, limit: Limit, after: After) -> Page[TimelineEntry]:
        """What happened to a case, the oldest first: its own facts, its clocks, its messages, its screening."""
        place = _timeline_place(after)
        async with work.as_person(caller) as tx:
            rows = await handlers.show_timeline(tx, number, after=place, limit=limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        following = f"{last.at.isoformat()}~{last.event_id}" if last else None
        return Page(items=[TimelineEntry.of(row) for row in rows[:limit]], next=following)

    @router.get("/directory", tags=["directory"])
    async def show_directory(caller: Caller) -> DirectoryShown:
        """Your branches, and who works there; contact data stay hidden."""
        async with work.as_person(caller) as tx:
            branches, persons = await handlers.show_directory(tx, protection=protection)
        return DirectoryShown(
            branches=[BranchShown.model_validate(each.model_dump(mode="json")) for each in branches],
            persons=[
                PersonShown(
                    person=each.person,
                    name=each.name,
                    branch=each.branch,
                    department=each.department,
                    roles=list(each.roles),
                    active=each.active,
                )
                for each in persons
            ],
        )


def _event_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    group_types = sorted(event.event_type for event in BY_STREAM[GROUP_STREAM].events)

    @router.post(
        "/events",
        status_code=202,
        tags=["events of other systems"],
        responses={
            200: {"model": EventAccepted, "description": "The same event came before; it is on the bus once"},
            409: {"description": "The source and id belong to another event"},
            413: {"description": "The body is over the limit"},
        },
        openapi_extra={"requestBody": _event_body(group_types)},
    )
    async def accept_event(request: Request, caller: Caller, response: Response) -> EventAccepted:
        """Publish a fact of another group system without a Kafka client (X-07).

        A CloudEvent 1.0, structured (`application/cloudevents+json`) or binary (`ce-*` headers with a JSON body).
        The role `system` is needed, and the fact's branch must be one of the caller's.
        """
        caller.require_role(handlers.SYSTEM)
        event = _group_event(request.headers.raw, await request.body())
        async with work.as_person(caller) as tx:
            is_new = await handlers.accept_group_event(tx, event, content_hash=protection.fingerprint(_content(event)))
        if not is_new:
            response.status_code = 200
        return EventAccepted(id=event.id, source=event.source, type=event.type, subject=event.subject, time=event.time)


# --- what comes in -----------------------------------------------------------------------------------------------


def _once(protection: Protection, key: str, command: str, body: BaseModel) -> Once:
    return Once(key=key, request_hash=protection.fingerprint(f"{command}\n{body.model_dump_json()}"))


def _group_event(raw_headers: list[tuple[bytes, bytes]], body: bytes) -> CloudEvent[GroupFact]:
    """Read a CloudEvent of another system in either HTTP mode.

    Raises:
        Invalid: it cannot be read, or is no event of ``group.v1``; names the field as the sender wrote it.
    """
    content_type = dict(raw_headers).get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    structured = content_type == STRUCTURED
    if not structured and content_type != "application/json":
        raise Invalid(
            "The body is in a form this address does not take.",
            field="Content-Type",
            remedy=f"Send {STRUCTURED}, or application/json with the attributes as ce-* headers.",
        )
    try:
        event = parse_structured(body) if structured else parse(_binary_headers(raw_headers), body)
    except BadEvent as error:
        raise Invalid(
            f"{error.problem[:1].upper()}{error.problem[1:]}.",
            field=_sent_name(error.field, structured=structured),
            remedy=f"{error.remedy}.",
        ) from None
    if not isinstance(event.data, GroupFact):
        raise Invalid(
            "Events of this type come from the suite itself.",
            field=_sent_name("ce_type", structured=structured),
            remedy=f"Send one of the types of {GROUP_STREAM}; docs/events.md lists them.",
        )
    return _as_group(event, event.data)


def _as_group(event: CloudEvent[Event], fact: GroupFact) -> CloudEvent[GroupFact]:
    return CloudEvent(
        id=event.id,
        type=event.type,
        source=event.source,
        subject=event.subject,
        time=event.time,
        data=fact,
        traceparent=event.traceparent,
    )


def _binary_headers(raw_headers: list[tuple[bytes, bytes]]) -> list[tuple[str, bytes]]:
    """The ``ce-*`` headers under the names of the Kafka binding; HTTP percent-encodes what is not ASCII."""
    named = [(name.decode("latin-1").lower(), value) for name, value in raw_headers]
    return [
        ("traceparent" if name == "ce-traceparent" else f"ce_{name[3:]}", unquote_to_bytes(value))
        for name, value in named
        if name.startswith("ce-")
    ]


def _sent_name(field: str, *, structured: bool) -> str:
    """A field of the Kafka binding, as the sender wrote it: ``ce_id`` is ``id`` or ``ce-id``."""
    if field.startswith("ce_"):
        return field[3:] if structured else f"ce-{field[3:]}"
    return f"data.{field}" if structured and field != "body" else field


def _content(event: CloudEvent[GroupFact]) -> str:
    return f"{event.type}\n{event.subject}\n{event.time.isoformat()}\n{event.data.model_dump_json()}"


def _event_body(types: list[str]) -> Mapping[str, Any]:
    attributes = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 200},
        "source": {"type": "string", "minLength": 1, "maxLength": 200},
        "type": {"type": "string", "enum": types},
        "subject": {"type": "string", "description": "Your name for the matter, as injury/2026-0012"},
        "time": {"type": "string", "format": "date-time"},
        "data": {"type": "object", "description": "As schemas/TYPE.json describes it"},
    }
    structured = {"type": "object", "required": list(attributes), "properties": attributes}
    return {
        "required": True,
        "content": {
            STRUCTURED: {"schema": structured},
            "application/json": {"schema": {"type": "object", "description": "The data alone; attributes as ce-*"}},
        },
    }


def _case_place(after: str | None) -> UUID | None:
    try:
        return None if after is None else UUID(after)
    except ValueError:
        raise _bad_place() from None


def _timeline_place(after: str | None) -> tuple[datetime, str] | None:
    if after is None:
        return None
    at, tilde, event_id = after.partition("~")
    try:
        time = datetime.fromisoformat(at)
        time.astimezone()
    except (ValueError, OverflowError, OSError):
        raise _bad_place() from None
    if not tilde or time.tzinfo is None or "\x00" in event_id:
        raise _bad_place()
    return time, event_id


def _bad_place() -> Invalid:
    return Invalid(
        "This is not a place in this list.", field="after", remedy="Send the 'next' of the page before, unchanged."
    )


# --- what goes out -----------------------------------------------------------------------------------------------


def _case_fields(shown: Shown) -> dict[str, Any]:
    case, particulars = shown.case, shown.particulars
    return {
        "id": case.id,
        "number": case.number,
        "trace_id": telemetry.trace_id_of(case.traceparent),
        "state": case.state,
        "branch": case.branch,
        "type": case.type,
        "severity": case.severity,
        "channel": case.channel,
        "subject": particulars.subject,
        "received_at": case.received_at,
        "registered_at": case.registered_at,
        "registrar": case.registrar,
        "owner": case.owner,
        "department": case.department,
        "promised_at": case.promised_at,
        "replied_at": case.replied_at,
        "plan_delivered_at": case.plan_delivered_at,
        "ended_at": case.ended_at,
        "requester": RequesterShown(
            name=particulars.requester_name, phone=particulars.requester_phone, relation=case.relation
        ),
        "client": None
        if particulars.client_name is None and particulars.client_identifier is None
        else ClientShown(
            name=particulars.client_name,
            identifier=particulars.client_identifier,
            identifier_hash=shown.client_hash,
        ),
        "masked": shown.is_masked,
    }
