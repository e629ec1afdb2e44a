"""Mails that came in, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from shouwen.intake.domain.mail import Reason
from shouwen.intake.store.attachments import opened_key, sealed_key
from shouwen.intake.store.protection import Protection
from shouwen.runtime import queries, telemetry
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/mail.sql")

NO_BRANCH = ""
"""The branch of a mail of which it is not known; only the event path and group roles reach it."""

MailState = Literal["registered", "joined", "ignored", "set_aside", "discarded"]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it came in, and what became of it; ``key`` opens the content at ``place``, None once erased."""

    id: UUID
    branch: str
    message_hash: str
    body_sha256: str
    state: MailState
    reason: Reason | str | None
    case_id: UUID | None
    received_at: datetime
    sender: str | None
    subject: str | None
    size_bytes: int
    place: str
    key: bytes | None
    decided_at: datetime
    decided_by: str | None


async def mail_by_message(tx: Transaction, message_hash: str, protection: Protection) -> Mail | None:
    """A mail that came before."""
    row = await tx.fetch_one(QUERIES.mail_by_message, message_hash)
    return None if row is None else _mail(row, protection)


async def lock_mail(tx: Transaction, mail_id: UUID, protection: Protection) -> Mail | None:
    """One mail, held until this transaction ends."""
    row = await tx.fetch_one(QUERIES.mail_by_id, mail_id)
    return None if row is None else _mail(row, protection)


async def mails(
    tx: Transaction, state: MailState, *, after: UUID | None, limit: int, protection: Protection
) -> list[Mail]:
    """Mails in one state, the oldest first."""
    return [_mail(row, protection) for row in await tx.fetch(QUERIES.mails, state, after, limit)]


async def add_mail(tx: Transaction, mail: Mail, protection: Protection) -> bool:
    """Keep what became of a mail; False when it came before."""
    assert mail.key is not None, "only an erased mail has none"
    taken = await tx.fetch_value(
        QUERIES.add_mail,
        mail.id,
        mail.branch,
        mail.message_hash,
        mail.body_sha256,
        mail.state,
        mail.reason,
        mail.case_id,
        mail.received_at,
        protection.encrypt(mail.sender),
        protection.encrypt(mail.subject),
        mail.size_bytes,
        mail.place,
        sealed_key(mail.key, protection),
        mail.decided_at,
        mail.decided_by,
    )
    return taken is not None


async def decide_mail(tx: Transaction, mail: Mail) -> None:
    """Keep what a person made of a mail."""
    await tx.execute(
        QUERIES.decide_mail,
        mail.id,
        mail.branch,
        mail.state,
        mail.reason,
        mail.case_id,
        mail.decided_at,
        mail.decided_by,
    )


async def case_of_thread(tx: Transaction, message_hashes: Sequence[str]) -> tuple[str, UUID] | None:
    """Branch and id of the case to which an earlier mail of a thread belongs."""
    row = await tx.fetch_one(QUERIES.case_of_thread, list(message_hashes))
    return None if row is None else (row["branch"], UUID(int=row["case_id"].int))


async def first_asked(tx: Transaction, branch: str) -> str | None:
    """Who is asked first in a branch when nobody was named."""
    row = await tx.fetch_one(QUERIES.first_asked, branch)
    return None if row is None else row["person"]


async def add_look(tx: Transaction, mail: Mail, *, person: str) -> None:
    """Record that a person read a mail as it came."""
    subject = mail.case_id or mail.id
    fields = [f"mail.{mail.id}"]
    await tx.execute(QUERIES.add_look, tx.now, person, subject, mail.branch, fields, telemetry.current_trace_id())


def _mail(row: asyncpg.Record, protection: Protection) -> Mail:
    return Mail(
        id=UUID(int=row["id"].int),
        branch=row["branch"],
        message_hash=row["message_hash"],
        body_sha256=row["body_sha256"],
        state=row["state"],
        reason=row["reason"],
        case_id=None if row["case_id"] is None else UUID(int=row["case_id"].int),
        received_at=row["received_at"],
        sender=protection.decrypt(row["sender"]),
        subject=protection.decrypt(row["subject"]),
        size_bytes=row["size_bytes"],
        place=row["place"],
        key=opened_key(row["data_key"], protection),
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
    )
