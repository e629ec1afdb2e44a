"""REST in: the log of deliveries, one's own inbox, templates, and the evaluation mailbox."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from shouwen.notify import handlers, store
from shouwen.notify.domain import wording
from shouwen.notify.domain.delivery import DeliveryState
from shouwen.notify.domain.wording import Template, TemplateSource
from shouwen.notify.gateways import EvaluationMailbox
from shouwen.notify.handlers import Office
from shouwen.notify.store import Delivery, Letter
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import Forbidden
from shouwen.runtime.http import After, Limit, Page, bad_place, row_place
from shouwen.runtime.telemetry import trace_id_of
from shouwen.runtime.unit_of_work import UnitOfWork


class DeliveryView(BaseModel):
    """One delivery, without words and addresses."""

    id: UUID
    message_id: UUID
    subject: str = Field(description="What the message is about: case/{id}, or another system's subject")
    branch: str
    cause: str = Field(description="Id of the event that caused it")
    cause_type: str
    recipient: str = Field(description="The person told; role:NAME when nobody holds the role")
    reason: str = Field(description="Why this person: owner, or role:NAME")
    channel: str
    template: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    failed_at: datetime | None
    next_attempt_at: datetime | None
    error: str | None = Field(description="What the channel answered last")
    resent_by: str | None = Field(description="The operator who last had it sent again")
    trace_id: str | None

    @classmethod
    def of(cls, found: Delivery) -> "DeliveryView":
        return cls(
            id=found.id,
            message_id=found.message_id,
            subject=found.subject,
            branch=found.branch,
            cause=found.cause,
            cause_type=found.cause_type,
            recipient=found.recipient,
            reason=found.reason,
            channel=found.channel,
            template=found.template,
            state=found.state,
            attempts=found.attempts,
            created_at=found.created_at,
            sent_at=found.sent_at,
            failed_at=found.failed_at,
            next_attempt_at=found.next_attempt_at,
            error=found.error,
            resent_by=found.resent_by,
            trace_id=trace_id_of(found.traceparent),
        )


class TextView(BaseModel):
    """The words of a message in one language."""

    subject: str
    body: str


class LetterView(BaseModel):
    """A message in one's own inbox."""

    id: UUID
    subject: str
    branch: str
    template: str
    cause_type: str
    reason: str
    zh: TextView
    en: TextView
    link: str
    created_at: datetime
    read_at: datetime | None
    trace_id: str | None

    @classmethod
    def of(cls, letter: Letter) -> "LetterView":
        zh, en = letter.texts["zh"], letter.texts["en"]
        return cls(
            id=letter.id,
            subject=letter.subject,
            branch=letter.branch,
            template=letter.template,
            cause_type=letter.cause_type,
            reason=letter.reason,
            zh=TextView(subject=zh.subject, body=zh.body),
            en=TextView(subject=en.subject, body=en.body),
            link=letter.link,
            created_at=letter.created_at,
            read_at=letter.read_at,
            trace_id=trace_id_of(letter.traceparent),
        )


class ReadView(BaseModel):
    """A message that was read."""

    id: UUID
    read_at: datetime


class MailView(BaseModel):
    """A mail of the evaluation mailbox, whole."""

    id: str
    message_id: str
    sender: str
    recipient: str
    subject: str
    date: str
    text: str


class TemplateView(BaseModel):
    """A template and what it says for sample values."""

    name: str
    source: TemplateSource
    sample: dict[str, TextView]


class TemplateProof(BaseModel):
    """A template that can be used, and what it says for sample values."""

    valid: bool = True
    sample: dict[str, TextView]
    variables: Mapping[str, str] = Field(description="What templates may use")


def routes(work: UnitOfWork, office: Office, mailbox: EvaluationMailbox) -> APIRouter:
    """The routes of notify."""
    router = APIRouter(prefix="/api")
    templates = office.templates

    @router.get("/deliveries", tags=["deliveries"])
    async def list_deliveries(  # pyright: ignore[reportUnusedFunction]
        caller: Caller,
        limit: Limit,
        after: After,
        subject: Annotated[str | None, Query(max_length=300, description="As case/{id}")] = None,
        state: DeliveryState | None = None,
        recipient: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Page[DeliveryView]:
        """What was sent to whom, when, why and with what result, in the order in which it was made."""
        async with work.as_person(caller) as tx:
            found = await store.deliveries(
                tx, subject=subject, state=state, recipient=recipient, after=row_place(after) or 0, limit=limit + 1
            )
        more = len(found) > limit
        return Page(
            items=[DeliveryView.of(each) for each in found[:limit]], next=str(found[limit - 1].seq) if more else None
        )

    @router.post("/deliveries/{delivery_id}/resend", tags=["deliveries"])
    async def resend(delivery_id: UUID, caller: Caller) -> DeliveryView:  # pyright: ignore[reportUnusedFunction]
        """Send a failed or uncertain e-mail once more (role operator). It keeps its Message-ID."""
        async with work.as_person(caller) as tx:
            return DeliveryView.of(await handlers.resend(tx, caller, delivery_id))

    @router.get("/inbox", tags=["inbox"])
    async def inbox(caller: Caller, limit: Limit, after: After) -> Page[LetterView]:  # pyright: ignore[reportUnusedFunction]
        """The caller's own messages: unread first, newest first."""
        async with work.as_person(caller) as tx:
            letters = await handlers.read_inbox(tx, caller, after=_place(after), limit=limit + 1, keys=office.keys)
        more = len(letters) > limit
        last = letters[limit - 1] if more else None
        place = f"{'read' if last.read_at is not None else 'unread'}-{last.seq}" if last is not None else None
        return Page(items=[LetterView.of(each) for each in letters[:limit]], next=place)

    @router.post("/inbox/{message_id}/read", tags=["inbox"])
    async def mark_read(message_id: UUID, caller: Caller) -> ReadView:  # pyright: ignore[reportUnusedFunction]
        """Note that the caller has read a message; the first time stands."""
        async with work.as_person(caller) as tx:
            return ReadView(id=message_id, read_at=await handlers.mark_read(tx, caller, message_id))

    @router.get("/templates", tags=["templates"])
    async def list_templates(_: Caller) -> Page[TemplateView]:  # pyright: ignore[reportUnusedFunction]
        """The templates in use, with what they say for sample values."""
        views = [TemplateView(name=each.name, source=each.source, sample=_sample(each)) for each in templates.values()]
        return Page(items=views)

    @router.post("/templates/validate", tags=["templates"])
    async def validate_template(source: TemplateSource, caller: Caller) -> TemplateProof:  # pyright: ignore[reportUnusedFunction]
        """Check a template before it is used: 422 names the field, the line and the remedy."""
        caller.require_role("operator", "manager", "general_manager", "coordinator", "group_admin")
        checked = wording.checked("sample", source)
        return TemplateProof(sample=_sample(checked), variables=wording.VARIABLES)

    @router.get("/mailbox", tags=["evaluation"])
    async def list_mails(caller: Caller, limit: Limit, after: After) -> Page[MailView]:  # pyright: ignore[reportUnusedFunction]
        """Evaluation only: whole mails, newest first, as the local mail receiver has kept them (operator, group_*)."""
        if not caller.sees_all and "operator" not in caller.roles:
            raise Forbidden(
                "The evaluation mailbox shows mails of all people.",
                field="roles",
                remedy="It needs the role operator or a group role; GET /api/inbox shows your own messages.",
            )
        mails, place = await mailbox.page(before=after, limit=limit)
        views = [
            MailView(
                id=each.key,
                message_id=each.message_id,
                sender=each.sender,
                recipient=each.recipient,
                subject=each.subject,
                date=each.date,
                text=each.text,
            )
            for each in mails
        ]
        return Page(items=views, next=place)

    return router


def _sample(template: Template) -> dict[str, TextView]:
    texts = template.render(wording.SAMPLE, time_zone="Asia/Shanghai")
    return {name: TextView(subject=text.subject, body=text.body) for name, text in texts.items()}


def _place(after: str | None) -> tuple[bool, int] | None:
    if after is None:
        return None
    kind, _, seq = after.partition("-")
    row = row_place(seq)
    if kind not in {"read", "unread"} or row is None:
        raise bad_place()
    return kind == "read", row
