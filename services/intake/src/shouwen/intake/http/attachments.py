"""Files with a case."""

import base64
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from shouwen.intake.domain.attachments import KINDS, Offered, offered
from shouwen.intake.gateways.files import Files
from shouwen.intake.handlers import attachments
from shouwen.intake.handlers.attachments import HIDDEN_NAME, sha256_of
from shouwen.intake.http.channels import Channels
from shouwen.intake.http.fields import Number
from shouwen.intake.store.attachments import Attachment
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import Invalid, Refused, TooLarge
from shouwen.runtime.unit_of_work import UnitOfWork

PATH = r"/api/cases/[^/]+/attachments"
"""Where a body may be as long as a file."""
FORM_BYTES = 10_000
"""What a multipart body may hold beside the file: boundaries and the headers of its part."""
_FORM = "multipart/form-data"
_FORM_FIELD = "file"


class NoFileStore(Refused):
    """This installation keeps no files."""

    def __init__(self) -> None:
        super().__init__(remedy="The operator names a folder or bucket in SHOUWEN_ATTACHMENTS_URL.")


class AttachmentShown(BaseModel):
    """A file with a case."""

    id: UUID
    name: str = Field(description="*** unless the case is yours to work on")
    media_type: str
    size_bytes: int
    sha256: str = Field(description="Of the content, in hex")
    added_at: datetime
    added_by: str
    erased: bool = Field(description="Whether its content was erased with a person's data")

    @classmethod
    def of(cls, attachment: Attachment, *, hidden: bool = False) -> "AttachmentShown":
        """The file for an answer."""
        return cls(
            id=attachment.id,
            name=HIDDEN_NAME if hidden else attachment.name,
            media_type=attachment.media_type,
            size_bytes=attachment.size_bytes,
            sha256=attachment.sha256,
            added_at=attachment.added_at,
            added_by=attachment.added_by,
            erased=attachment.key is None,
        )


class AttachmentList(BaseModel):
    """The files of a case, the oldest first."""

    items: list[AttachmentShown]


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection, *, channels: Channels) -> None:
    """Adding a file to a case, the files of a case, and one file's content."""
    files, limit_bytes = channels.files, channels.attachment_limit
    kinds = ", ".join(sorted(KINDS))
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": [_FORM_FIELD], "properties": {_FORM_FIELD: binary}}
    body = {"required": True, "content": {_FORM: {"schema": form}, "application/octet-stream": {"schema": binary}}}

    @router.post(
        "/cases/{number}/attachments",
        status_code=201,
        tags=["attachments"],
        summary="Add Attachment",
        description=f"Put a file with a case: a form with the field `file`, or the content itself with `?name=`. "
        f"At most {limit_bytes} bytes, one of: {kinds}. Its content must be what its name says.",
        responses={
            200: {"model": AttachmentShown, "description": "The case has this content already"},
            409: {"description": "The case has as many files as it may have, or no file store is set"},
            413: {"description": "The file is over the limit"},
        },
        openapi_extra={"requestBody": body},
    )
    async def add_attachment(
        number: Number,
        request: Request,
        caller: Caller,
        response: Response,
        name: Annotated[str | None, Query(max_length=500, description="File name, when the body is no form")] = None,
    ) -> AttachmentShown:
        store = _given(files)
        file = await handed_in(request, name, limit_bytes)
        is_new = await attachments.keep_attachment(work, caller, number, file, files=store, protection=protection)
        response.status_code = 201 if is_new else 200
        async with work.as_person(caller) as tx:
            found = await attachments.attachment_of_content(
                tx, number, sha256=sha256_of(file.content), protection=protection
            )
        return AttachmentShown.of(found, hidden=not is_new)

    @router.get("/cases/{number}/attachments", tags=["attachments"])
    async def list_attachments(number: Number, caller: Caller) -> AttachmentList:
        """The files of a case, the oldest first."""
        async with work.as_person(caller) as tx:
            held, hidden = await attachments.list_attachments(tx, number, protection=protection)
        return AttachmentList(items=[AttachmentShown.of(each, hidden=hidden) for each in held])

    @router.get(
        "/cases/{number}/attachments/{attachment_id}",
        tags=["attachments"],
        response_class=Response,
        responses={
            200: {"content": {"application/octet-stream": {"schema": binary}}, "description": "The content"},
            409: {"description": "The stored content is missing or was changed, or no file store is set"},
        },
    )
    async def download_attachment(number: Number, attachment_id: UUID, caller: Caller) -> Response:
        """The content of a file, for who is responsible for the case or directs the branch's work; it is recorded."""
        store = _given(files)
        async with work.as_person(caller) as tx:
            found = await attachments.look_at(tx, number, attachment_id, protection=protection)
        assert found.key is not None, "look_at lets no erased file through"
        return download(
            await store.get(found.place, found.key), name=found.name, media_type=found.media_type, sha256=found.sha256
        )


def download(content: bytes, *, name: str, media_type: str, sha256: str) -> Response:
    """A content to be saved, never to be shown inside this service's own pages."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "._- ") else "_" for each in name)
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    return Response(
        content,
        media_type=media_type,
        headers={
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
            "Repr-Digest": f"sha-256=:{digest}:",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def handed_in(request: Request, name: str | None, limit_bytes: int) -> Offered:
    """The file in a request's body, checked.

    Raises:
        Invalid: the form cannot be read or has no file, or the file is not one that is taken.
        TooLarge: it is over the limit.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        content = await request.body()
        return offered(name, _within(content, limit_bytes))
    try:
        form = await _InMemory(request.headers, _whole(await request.body())).parse()
    except (MultiPartException, ValueError, KeyError):
        raise Invalid(
            "The form cannot be read.", field="body", remedy=f"Send {_FORM} with the one field '{_FORM_FIELD}'."
        ) from None
    try:
        file = form.get(_FORM_FIELD)
        if not isinstance(file, UploadFile):
            raise Invalid("is missing", field=_FORM_FIELD, remedy=f"Send the file as the field '{_FORM_FIELD}'.")
        return offered(name or file.filename, _within(await file.read(), limit_bytes))
    finally:
        await form.close()


class _InMemory(MultiPartParser):
    """A form whose files stay in memory: a spooled one would lie in a temporary folder, unencrypted."""

    spool_max_size = 2**40

    def __init__(self, headers: Any, stream: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers, stream, max_files=1, max_fields=5)


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
    yield b""


def _within(content: bytes, limit_bytes: int) -> bytes:
    if len(content) > limit_bytes:
        raise TooLarge(
            f"The file is longer than {limit_bytes} bytes.",
            field="file",
            remedy="Send it in parts, or in a smaller resolution.",
        )
    return content


def _given(files: Files | None) -> Files:
    if files is None:
        raise NoFileStore
    return files
