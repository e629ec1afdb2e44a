"""Records that could not be handled or sent: kept as they came, with the reason, until a person decides.

Each goes into the table ``dead_letter`` and, as a copy with the reason in its headers, to the stream ``NAME.dead``.
A replay handles the stored record through the consumer's own path; only success marks it as replayed. Bodies may hold
personal data: the table is readable by the worker role alone, and answers only those who operate the suite.
"""

import hashlib
import traceback
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import asyncpg
import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, ValidationError

from shouwen.contracts.catalogue import dead_letter_stream
from shouwen.contracts.event import MAX_BODY_BYTES, BadEvent
from shouwen.runtime.auth import Caller, Principal
from shouwen.runtime.errors import Forbidden, NotFound, Refused, ShouwenError
from shouwen.runtime.http import Page, row_place
from shouwen.runtime.outbox import QUERIES, Header, Outgoing, pack_headers, unpack_headers
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork, is_passing

_log = structlog.stdlib.get_logger("shouwen.dead_letter")

_ATTRIBUTES = ("ce_id", "ce_type", "ce_source", "ce_subject", "traceparent")


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it came. ``stream`` is the topic without the installation's prefix."""

    stream: str
    partition: int
    offset: int
    key: bytes | None
    headers: tuple[Header, ...]
    body: bytes | None

    @property
    def fingerprint(self) -> bytes:
        """Tells this record from another at the same place of a topic that was deleted and made anew."""
        digest = hashlib.sha256()
        parts = [self.key, self.body, *(part for name, value in self.headers for part in (name.encode(), value))]
        for part in parts:
            digest.update(b"-" if part is None else str(len(part)).encode() + b":" + part)
        return digest.digest()

    def attribute(self, name: str) -> str | None:
        """A header as text that PostgreSQL can store, whatever bytes it had."""
        for header, value in self.headers:
            if header == name and value is not None:
                return storable(value.decode(errors="replace"))
        return None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record failed, without anything a person has entered: kind, detail, the field, the place in the code."""

    error: str
    detail: str
    field: str | None
    location: str | None


def describe(error: BaseException) -> Failure:
    """Say what went wrong without repeating data: texts of unforeseen errors may quote values, so they stay out."""
    kind, field = type(error).__qualname__, None
    match error:
        case BadEvent():
            detail, field = str(error), error.field
        case ShouwenError():
            detail, field = str(error), error.field
        case ValidationError():
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or None
            detail = f"{error.title}: {first['msg'] if first['type'] != 'value_error' else 'the value is not accepted'}"
        case asyncpg.PostgresError():
            places = (getattr(error, name, None) for name in ("table_name", "column_name", "constraint_name"))
            detail = " ".join(["SQLSTATE", str(error.sqlstate), *(place for place in places if place)])
        case _:
            detail = "An error that was not foreseen; its place in the code is given."
    return Failure(storable(kind), storable(detail)[:2000], field and storable(field), _location(error))


def storable(text: str) -> str:
    """Text without what PostgreSQL cannot hold."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()


async def set_aside(
    transaction: Transaction,
    service: str,
    record: Record,
    error: BaseException,
    *,
    origin: Literal["consumer", "relay"] = "consumer",
) -> bool:
    """Keep a record as a dead letter, and send a copy to ``NAME.dead``.

    Returns:
        False when this record was set aside before.
    """
    failure = describe(error)
    added = await transaction.fetch_value(
        QUERIES.add_dead_letter,
        origin,
        record.stream,
        record.partition,
        record.offset,
        record.fingerprint,
        record.key,
        pack_headers(record.headers),
        record.body,
        *(record.attribute(name) for name in _ATTRIBUTES),
        failure.error,
        failure.detail,
        failure.field,
        failure.location,
    )
    if added is None:
        return False
    if origin == "consumer":
        transaction.pass_on(_copy(service, record, failure, added))
    _log.warning(
        "record set aside",
        dead_letter=added,
        origin=origin,
        stream=record.stream,
        partition=record.partition,
        offset=record.offset,
        event_id=(record.attribute("ce_id") or "")[:200],
        event_type=(record.attribute("ce_type") or "")[:200],
        error=failure.error,
        detail=failure.detail,
        location=failure.location,
    )
    return True


def _copy(service: str, record: Record, failure: Failure, number: int) -> Outgoing:
    reason: dict[str, str] = {
        "shouwen_dead_letter": str(number),
        "shouwen_dead_stream": record.stream,
        "shouwen_dead_partition": str(record.partition),
        "shouwen_dead_offset": str(record.offset),
        "shouwen_dead_error": failure.error,
        "shouwen_dead_detail": failure.detail,
    }
    headers, body = record.headers, record.body
    if len(body or b"") + sum(len(name) + len(value or b"") for name, value in headers) > MAX_BODY_BYTES:
        # The brokers would refuse the copy; the table has the whole record.
        headers, body = (), None
        reason["shouwen_dead_contents"] = "too long for the stream; see the table"
    return Outgoing(
        stream=dead_letter_stream(service),
        key=record.key,
        body=body,
        headers=(*headers, *((name, value.encode()) for name, value in reason.items())),
    )


def _location(error: BaseException) -> str | None:
    """The innermost place in the suite's own code, as ``shouwen/sla/handlers.py:42 arm``."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        _, found, path = frame.filename.replace("\\", "/").rpartition("/shouwen/")
        if found and not (path.startswith("runtime/") and frame.name in {"fetch", "fetch_one", "execute"}):
            return f"shouwen/{path}:{frame.lineno} {frame.name}"
    return None


# --- for people -----------------------------------------------------------------------------------------------------


class DeadLetter(BaseModel):
    """A dead letter, without its contents."""

    id: int
    origin: str = Field(description="consumer: could not be handled; relay: could not be sent")
    stream: str
    partition: int
    offset: int
    event_id: str | None
    event_type: str | None
    source: str | None
    subject: str | None
    traceparent: str | None
    error: str
    detail: str
    field: str | None
    location: str | None
    attempts: int
    failed_at: datetime
    replayed_at: datetime | None
    replayed_by: str | None
    body_bytes: int | None


class DeadLetterContents(DeadLetter):
    """A dead letter with its contents: texts where they are UTF-8, else base64."""

    key: str | None
    headers: list[tuple[str, str | None]]
    body: str | None
    body_base64: str | None


class NotReplayed(Refused):
    """The record failed again; it stays a dead letter with the new reason."""


class AlreadyReplayed(Refused):
    """The record was handled by an earlier replay."""


Replay = Callable[[Record, Transaction], Awaitable[None]]
"""Handles one record inside a transaction: ``Handling.handle_alone``."""


async def listing(
    work: UnitOfWork, *, limit: int = 50, after: str | None = None, with_replayed: bool = False
) -> Page[DeadLetter]:
    """Dead letters, newest first; ``after`` is the ``next`` of the page before."""
    async with work.as_worker() as transaction:
        rows = await transaction.fetch(QUERIES.list_dead_letters, row_place(after or None), with_replayed, limit + 1)
    items = [DeadLetter.model_validate(_summary(row)) for row in rows[:limit]]
    return Page(items=items, next=str(items[-1].id) if len(rows) > limit else None)


async def show(work: UnitOfWork, number: int) -> DeadLetterContents:
    """One dead letter with its contents.

    Raises:
        NotFound: there is none of this number.
    """
    async with work.as_worker() as transaction:
        row = await transaction.fetch_one(QUERIES.get_dead_letter, number)
    return _contents(_found(row, number))


async def replay(work: UnitOfWork, handle: Replay, number: int, *, by: str) -> DeadLetterContents:
    """Handle a dead letter's record again.

    Args:
        work: opens the transactions.
        handle: the consumer's own path.
        number: the dead letter.
        by: the person who asked for it.

    Raises:
        NotFound: there is none of this number.
        AlreadyReplayed: it was handled before.
        NotReplayed: it failed again; the new reason is stored.
        Transient: something it needs is away; nothing has changed.
    """
    try:
        async with work.as_worker() as transaction:
            row = _found(await transaction.fetch_one(QUERIES.lock_dead_letter, number), number)
            if row["replayed_at"] is not None:
                raise AlreadyReplayed(f"Dead letter {number} was replayed at {row['replayed_at'].isoformat()}.")
            await _again(handle, row, transaction)
            await transaction.execute(QUERIES.mark_replayed, number, by)
    except _FailedAgain as failed:
        failure = describe(failed.error)
        async with work.as_worker() as transaction:
            await transaction.execute(
                QUERIES.mark_failed_again, number, failure.error, failure.detail, failure.field, failure.location
            )
        raise NotReplayed(
            f"Dead letter {number} failed again: {failure.detail}",
            remedy="Remove the cause, which is stored with the dead letter, and replay it then.",
        ) from failed.error
    _log.info("dead letter replayed", dead_letter=number, by=by)
    return await show(work, number)


async def waiting(work: UnitOfWork) -> int:
    """How many dead letters wait for a person."""
    async with work.as_worker() as transaction:
        return await transaction.fetch_value(QUERIES.count_dead_letters)


def router(work: UnitOfWork, handle: Replay) -> APIRouter:
    """The HTTP routes for those who operate the suite (role operator or a group role)."""
    routes = APIRouter(prefix="/api/dead-letters", tags=["operation"])

    @routes.get("")
    async def list_dead_letters(  # pyright: ignore[reportUnusedFunction]
        caller: Caller,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: str | None = None,
        with_replayed: bool = False,
    ) -> Page[DeadLetter]:
        """Records that could not be handled or sent, newest first."""
        require_operator(caller)
        return await listing(work, limit=limit, after=after, with_replayed=with_replayed)

    @routes.get("/{number}")
    async def show_dead_letter(caller: Caller, number: int) -> DeadLetterContents:  # pyright: ignore[reportUnusedFunction]
        """One record with its contents, which may hold personal data: the viewing is logged."""
        require_operator(caller)
        _log.info("dead letter viewed", dead_letter=number, by=caller.person)
        return await show(work, number)

    @routes.post("/{number}/replay")
    async def replay_dead_letter(caller: Caller, number: int) -> DeadLetterContents:  # pyright: ignore[reportUnusedFunction]
        """Handle the record again; when it fails again, it stays with the new reason."""
        require_operator(caller)
        return await replay(work, handle, number, by=caller.person)

    return routes


def require_operator(principal: Principal) -> None:
    """Raise Forbidden unless the person operates the suite or acts for the whole group."""
    if not principal.sees_all and "operator" not in principal.roles:
        raise Forbidden(
            "This needs the role operator or a group role.",
            field="roles",
            remedy="Ask for one of these roles, or hand the matter to somebody who has it.",
        )


class _FailedAgain(Exception):
    """Carries a replay's error out of the transaction, which rolls back."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _again(handle: Replay, row: asyncpg.Record, transaction: Transaction) -> None:
    if row["origin"] == "relay":
        outgoing = Outgoing(
            stream=row["stream"], key=row["key"], body=row["body"], headers=unpack_headers(row["headers"])
        )
        transaction.pass_on(outgoing)
        return
    record = Record(
        stream=row["stream"],
        partition=row["partition"],
        offset=row["record_offset"],
        key=row["key"],
        headers=unpack_headers(row["headers"]),
        body=row["body"],
    )
    try:
        await handle(record, transaction)
        await transaction.flush()
    except Exception as error:
        if isinstance(error, ShouwenError) and not isinstance(error, Refused):
            raise
        if is_passing(error):
            raise
        raise _FailedAgain(error) from error


def _found(row: asyncpg.Record | None, number: int) -> asyncpg.Record:
    if row is None:
        raise NotFound(f"There is no dead letter {number}.")
    return row


def _summary(row: asyncpg.Record) -> dict[str, Any]:
    values = dict(row)
    values["offset"] = values.pop("record_offset")
    return values


def _contents(row: asyncpg.Record) -> DeadLetterContents:
    values = _summary(row)
    body: bytes | None = values.pop("body")
    text = _text(body)
    return DeadLetterContents.model_validate(
        {
            **values,
            "body_bytes": None if body is None else len(body),
            "key": None if row["key"] is None else row["key"].decode(errors="replace"),
            "headers": [
                (name, None if value is None else value.decode(errors="replace"))
                for name, value in unpack_headers(row["headers"])
            ],
            "body": text,
            "body_base64": b64encode(body).decode() if body is not None and text is None else None,
        }
    )


def _text(body: bytes | None) -> str | None:
    try:
        return None if body is None else body.decode()
    except UnicodeDecodeError:
        return None
