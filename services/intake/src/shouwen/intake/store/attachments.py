"""Files that lie with a case: everything but their contents."""

import base64
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from shouwen.intake.store.protection import Protection
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/attachments.sql")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file with a case; ``key`` opens its content at ``place``, None once it was erased."""

    id: UUID
    case_id: UUID
    branch: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    place: str
    key: bytes | None
    added_at: datetime
    added_by: str


async def attachments_of_case(tx: Transaction, case_id: UUID, protection: Protection) -> list[Attachment]:
    """The files of a case, the oldest first."""
    return [_attachment(row, protection) for row in await tx.fetch(QUERIES.attachments_of_case, case_id)]


async def hashes_of_case(tx: Transaction, case_id: UUID) -> set[str]:
    """The hashes of the contents that a case has."""
    return {row["sha256"] for row in await tx.fetch(QUERIES.hashes_of_case, case_id)}


async def attachment(tx: Transaction, case_id: UUID, attachment_id: UUID, protection: Protection) -> Attachment | None:
    """One file of a case, if there is such a one."""
    row = await tx.fetch_one(QUERIES.attachment, case_id, attachment_id)
    return None if row is None else _attachment(row, protection)


async def add_attachment(tx: Transaction, added: Attachment, protection: Protection) -> bool:
    """Put a file with its case; False when the case has this content already."""
    assert added.key is not None, "only an erased file has none"
    taken = await tx.fetch_value(
        QUERIES.add_attachment,
        added.id,
        added.case_id,
        added.branch,
        protection.keys.encrypt(added.name),
        added.media_type,
        added.size_bytes,
        added.sha256,
        added.place,
        sealed_key(added.key, protection),
        added.added_at,
        added.added_by,
    )
    return taken is not None


def sealed_key(key: bytes, protection: Protection) -> bytes:
    """The key of a content for its row."""
    return protection.keys.encrypt(base64.b64encode(key).decode())


def opened_key(value: bytes | None, protection: Protection) -> bytes | None:
    """The key of a content from its row; None once it was erased."""
    text = protection.decrypt(value)
    return None if text is None else base64.b64decode(text)


def _attachment(row: asyncpg.Record, protection: Protection) -> Attachment:
    return Attachment(
        id=UUID(int=row["id"].int),
        case_id=UUID(int=row["case_id"].int),
        branch=row["branch"],
        name=protection.keys.decrypt(row["name"]),
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        place=row["place"],
        key=opened_key(row["data_key"], protection),
        added_at=row["added_at"],
        added_by=row["added_by"],
    )
