"""Registering matters, and reading the register."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from shouwen.contracts.case import CaseType, Channel, Relation, Severity
from shouwen.contracts.event import BranchCode, Identifier, Instant
from shouwen.intake.domain.erasure import Whose
from shouwen.intake.domain.registration import Particulars, Registration
from shouwen.intake.handlers import reading, registration
from shouwen.intake.handlers.reading import Shown
from shouwen.intake.handlers.registration import Registered, Registrations
from shouwen.intake.http.fields import (
    CaseAnswer,
    ClientIdentifier,
    Email,
    Key,
    Line,
    Number,
    Phone,
    Sent,
    Words,
    once_of,
)
from shouwen.intake.http.surroundings import Around, Course, around_fields, course_fields
from shouwen.intake.store.facts import TimelineRow
from shouwen.intake.store.listed import Mark
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Caller, bearer_of
from shouwen.runtime.http import After, DirectAnswer, Limit, Page, bad_place
from shouwen.runtime.unit_of_work import UnitOfWork


class RequesterSent(Sent):
    """Who speaks (I-04). An anonymous requester has neither name nor phone nor e-mail."""

    name: Line | None = None
    phone: Phone | None = None
    email: Email | None = Field(None, description="Where the requester is told how the matter goes")
    relation: Relation = "other"


class ClientSent(Sent):
    """The client whom the matter is about."""

    name: Line
    identifier: ClientIdentifier | None = Field(
        None, description="Resident ID number or unified social credit code; found on the list of dishonest clients"
    )


class AnswerSent(Sent):
    """What the requester was answered while they were there (I-06)."""

    text: Words
    written: bool = Field(False, description="Whether in writing")


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
    answer: AnswerSent | None = Field(None, description="The answer given on the spot: registered and answered in one")

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
                requester_email=self.requester.email,
                client_name=self.client.name if self.client else None,
                client_identifier=self.client.identifier if self.client else None,
            ),
        )


class RequesterShown(BaseModel):
    """Who spoke; name, phone and e-mail are masked unless the case is yours to work on."""

    name: str | None
    phone: str | None
    email: str | None
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


class CaseListed(CaseAnswer, Course):
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
    delegate: str | None = Field(description="Whom the owner named to stand in at present; the owner stays responsible")
    department: str | None
    promised_at: datetime | None
    replied_at: datetime | None
    plan_delivered_at: datetime | None
    ended_at: datetime | None
    next_due_at: datetime | None = Field(description="The earliest deadline that is open")
    requester: RequesterShown
    client: ClientShown | None
    masked: bool = Field(description="Whether personal data are masked in this answer")
    erased: list[Whose] = Field(description="Whose data were erased for good; the words of the case went with them")

    @classmethod
    def shown(cls, shown: Shown) -> "CaseListed":
        """The case for a list."""
        return cls.model_validate(_case_fields(shown))


class CaseShown(CaseListed, Around):
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
                **around_fields(shown.around),
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


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """Registering a matter, the register, one case, its timeline."""
    _add_registration(router, work, protection)
    _add_reading(router, work, protection)


def _add_registration(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.post(
        "/cases",
        status_code=201,
        response_model=CaseAnswer,
        tags=["cases"],
        responses={
            200: {"model": CaseAnswer, "description": "The same request came before; this was its answer"},
            409: {"description": "Service is refused: the client is on the list of dishonest clients (002 六5)"},
        },
    )
    async def register_case(body: CaseSent, caller: Caller, key: Key) -> Response:
        """Register a matter: it gets its number, its first responsible person, and its trace."""
        once = once_of(protection, key, "register", body)
        answer = body.answer and registration.Answer(protection.keys.encrypt(body.answer.text), body.answer.written)
        async with work.as_person(caller) as tx:
            return _registered(
                await registration.register_case(
                    tx, body.registration(), once=once, protection=protection, answer=answer
                ),
                body,
            )


def registration_route(router: APIRouter) -> APIRoute:
    """The route of registrations."""
    return next(
        route
        for route in router.routes
        if isinstance(route, APIRoute) and route.path.endswith("/cases") and "POST" in (route.methods or ())
    )


def direct_registration(work: UnitOfWork, protection: Protection) -> DirectAnswer:
    """Registers what is right in form without FastAPI's work on the request, which costs more than the database.

    A matter that is answered at once is left to the route.
    """
    registrations = Registrations(work, protection)

    async def register(request: Request, body: bytes) -> Response | None:
        if not request.headers.get("content-type", "").startswith("application/json"):
            return None
        try:
            key = _KEY.validate_python(request.headers.get("idempotency-key"))
            sent = CaseSent.model_validate_json(body)
        except ValidationError:
            return None
        if sent.answer is not None or (caller := await bearer_of(request)) is None:
            return None
        once = once_of(protection, key, "register", sent)
        return _registered(await registrations.register(caller, sent.registration(), once=once), sent)

    return register


def _registered(registered: Registered, body: CaseSent) -> Response:
    # What was answered first is answered again, whatever has become of the case.
    answered = CaseAnswer.of(registered.case).model_copy(update={"state": "responded" if body.answer else "received"})
    # Written as it is: FastAPI would check the model once more.
    return Response(
        answered.model_dump_json(), status_code=201 if registered.is_new else 200, media_type="application/json"
    )


_KEY: TypeAdapter[str] = TypeAdapter(
    Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[!-~]+$")]
)


def _add_reading(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.get("/cases/{number}", tags=["cases"])
    async def show_case(number: Number, caller: Caller) -> CaseShown:
        """One case."""
        async with work.as_person(caller) as tx:
            shown = await reading.show_case(tx, number, protection=protection)
        return CaseShown.shown(shown)

    @router.get("/cases/{number}/timeline", tags=["cases"])
    async def show_timeline(number: Number, caller: Caller, limit: Limit, after: After) -> Page[TimelineEntry]:
        """What happened to a case, the oldest first: its own facts, its clocks, its messages, its screening."""
        place = _timeline_place(after)
        async with work.as_person(caller) as tx:
            rows = await reading.show_timeline(tx, number, after=place, limit=limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        following = f"{last.at.isoformat()}~{last.event_id}" if last else None
        return Page(items=[TimelineEntry.of(row) for row in rows[:limit]], next=following)


def _timeline_place(after: str | None) -> tuple[datetime, str] | None:
    if after is None:
        return None
    at, tilde, event_id = after.partition("~")
    try:
        time = datetime.fromisoformat(at)
        time.astimezone()
    except (ValueError, OverflowError, OSError):
        raise bad_place() from None
    if not tilde or time.tzinfo is None or "\x00" in event_id:
        raise bad_place()
    return time, event_id


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
        "delegate": case.delegate,
        "department": case.department,
        "promised_at": case.promised_at,
        "replied_at": case.replied_at,
        "plan_delivered_at": case.plan_delivered_at,
        "ended_at": case.ended_at,
        **course_fields(case),
        "next_due_at": shown.next_due_at,
        "requester": RequesterShown(
            name=particulars.requester_name,
            phone=particulars.requester_phone,
            email=particulars.requester_email,
            relation=case.relation,
        ),
        "client": None
        if particulars.client_name is None and particulars.client_identifier is None
        else ClientShown(
            name=particulars.client_name,
            identifier=particulars.client_identifier,
            identifier_hash=shown.client_hash,
        ),
        "masked": shown.is_masked,
        "erased": list(shown.erased),
    }
