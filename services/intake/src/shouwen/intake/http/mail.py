"""Mail that came in: what waits for a person, and what the person makes of it."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from shouwen.contracts.case import CaseType
from shouwen.contracts.event import BranchCode, Identifier
from shouwen.intake.handlers import mailroom
from shouwen.intake.handlers.attachments import sha256_of
from shouwen.intake.handlers.mail import Post
from shouwen.intake.http.attachments import NoFileStore, download
from shouwen.intake.http.channels import Channels
from shouwen.intake.http.fields import NUMBER_FORM, Sent
from shouwen.intake.store.mail import Mail, MailState
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page, bad_place

_REFUSED: dict[int | str, dict[str, Any]] = {409: {"description": "It does not wait any more, or no file store is set"}}


class MailShown(BaseModel):
    """A mail that came in, and what became of it."""

    id: UUID
    branch: str | None = Field(description="Null while it is not known")
    state: MailState
    reason: str | None = Field(description="Why it has not become a case, as auto_reply or unknown_recipient")
    case_id: UUID | None
    received_at: datetime
    sender: str | None
    subject: str | None
    size_bytes: int
    decided_at: datetime
    decided_by: str | None = Field(description="The person who decided, if one did")

    @classmethod
    def of(cls, mail: Mail) -> "MailShown":
        """The mail for an answer."""
        return cls(
            id=mail.id,
            branch=mail.branch or None,
            state=mail.state,
            reason=mail.reason,
            case_id=mail.case_id,
            received_at=mail.received_at,
            sender=mail.sender,
            subject=mail.subject,
            size_bytes=mail.size_bytes,
            decided_at=mail.decided_at,
            decided_by=mail.decided_by,
        )


class RouteSent(Sent):
    """The branch to which a mail belongs."""

    branch: BranchCode


class MailRegisterSent(Sent):
    """As what a mail is to be registered."""

    type: CaseType
    owner: Identifier | None = Field(None, description="Who is responsible; unless given, who is asked first there")


class JoinSent(Sent):
    """The case to which a mail belongs."""

    number: Annotated[str, StringConstraints(max_length=40, pattern=NUMBER_FORM)]


class DiscardSent(Sent):
    """Why a mail is nobody's matter."""

    reason: Literal["advertising", "spam", "duplicate", "not_for_us"]


def add_routes(router: APIRouter, *, channels: Channels) -> None:
    """Mails in one state, one mail as it came, and the decisions about one that waits."""

    def post() -> Post:
        if channels.post is None:
            raise NoFileStore
        return channels.post

    @router.get("/mail", tags=["mail"], responses=_REFUSED)
    async def list_mail(
        caller: Caller,
        limit: Limit,
        after: After,
        state: Annotated[MailState, Query(description="set_aside: it waits for a person")] = "set_aside",
    ) -> Page[MailShown]:
        """Mails in one state, the oldest first: of your branches, or all for the operator."""
        try:
            place = None if after is None else UUID(after)
        except ValueError:
            raise bad_place() from None
        page = await mailroom.list_mails(post(), caller, state, after=place, limit=limit + 1)
        following = str(page[limit - 1].id) if len(page) > limit else None
        return Page(items=[MailShown.of(each) for each in page[:limit]], next=following)

    @router.get(
        "/mail/{mail_id}/message",
        tags=["mail"],
        response_class=Response,
        responses={
            200: {"content": {"message/rfc822": {"schema": {"type": "string"}}}, "description": "The mail as it came"},
            **_REFUSED,
        },
    )
    async def download_mail(mail_id: UUID, caller: Caller) -> Response:
        """The mail as it came, as a file; the look is recorded."""
        mail, raw = await mailroom.read_mail(post(), caller, mail_id)
        return download(raw, name=f"{mail.id}.eml", media_type="message/rfc822", sha256=sha256_of(raw))

    @router.post("/mail/{mail_id}/route", tags=["mail"], responses=_REFUSED)
    async def route_mail(mail_id: UUID, body: RouteSent, caller: Caller) -> MailShown:
        """Give a mail that waits to a branch (role operator)."""
        return MailShown.of(await mailroom.route(post(), caller, mail_id, body.branch))

    @router.post("/mail/{mail_id}/register", tags=["mail"], responses=_REFUSED)
    async def register_mail(mail_id: UUID, body: MailRegisterSent, caller: Caller) -> MailShown:
        """Register a mail that waits as a case, received when the mail was."""
        return MailShown.of(await mailroom.register(post(), caller, mail_id, kind=body.type, owner=body.owner))

    @router.post("/mail/{mail_id}/join", tags=["mail"], responses=_REFUSED)
    async def join_mail(mail_id: UUID, body: JoinSent, caller: Caller) -> MailShown:
        """Put a mail that waits with the case it belongs to."""
        return MailShown.of(await mailroom.join_to(post(), caller, mail_id, body.number))

    @router.post("/mail/{mail_id}/discard", tags=["mail"], responses=_REFUSED)
    async def discard_mail(mail_id: UUID, body: DiscardSent, caller: Caller) -> MailShown:
        """Say that a mail that waits is nobody's matter; it is kept."""
        return MailShown.of(await mailroom.discard(post(), caller, mail_id, body.reason))
