"""What review keeps: one function for each named query, and the form in which personal data rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shouwen.contracts.client import Hit
from shouwen.review.domain.entry import EntryState, ListEntry
from shouwen.review.domain.identifiers import Kind
from shouwen.review.domain.names import NEAR, pieces, similarity
from shouwen.runtime import queries
from shouwen.runtime.privacy import KeyRing, Seal, keyed_hash
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.review")
_PIECE_HEX_DIGITS = 16
_SIGN = 1 << 63


@dataclass(frozen=True, slots=True)
class Protection:
    """How personal data are kept: encrypted for us, hashed to be found, opened when sealed for us."""

    keys: KeyRing
    hash_key: bytes
    seal: Seal

    def hash(self, identifier: str) -> str:
        """The keyed hash by which an identifier is found in every service."""
        return keyed_hash(self.hash_key, identifier)

    def pieces(self, name: str) -> list[int]:
        """The keyed hashes of a name's pieces, as the 64-bit integers that the index holds."""
        hashes = (keyed_hash(self.hash_key, f"piece:{piece}") for piece in pieces(name))
        return sorted(int(digest[:_PIECE_HEX_DIGITS], 16) - _SIGN for digest in hashes)


@dataclass(frozen=True, slots=True)
class Client:
    """A client on file; ``name`` and ``identifier`` are encrypted."""

    id: UUID
    number: str
    branch: str
    kind: Kind
    name: bytes
    identifier: bytes
    identifier_hash: str
    consent_at: datetime
    registered_at: datetime
    registered_by: str


@dataclass(frozen=True, slots=True)
class FiledEntry:
    """A list entry with its encrypted particulars."""

    entry: ListEntry
    name: bytes
    identifier: bytes


@dataclass(frozen=True, slots=True)
class EntryFact:
    """One line of an entry's history; the reason is encrypted."""

    state: EntryState
    at: datetime
    person: str
    reason: bytes | None


@dataclass(frozen=True, slots=True)
class Screening:
    """What a subject's client was found to match."""

    id: UUID
    subject: str
    branch: str
    screened_at: datetime
    hits: Sequence[Mapping[str, Any]]
    traceparent: str | None


# --- clients --------------------------------------------------------------------------------------------------------


async def take_number(tx: Transaction, *, branch: str, year: int) -> int:
    """The next position in the series of a branch and year."""
    return await tx.fetch_value(QUERIES.take_number, branch, year)


async def add_client(tx: Transaction, client: Client) -> bool:
    """Put a client on file; False when the branch has this identifier already."""
    added = await tx.fetch_value(
        QUERIES.add_client,
        client.id,
        client.number,
        client.branch,
        client.kind,
        client.name,
        client.identifier,
        client.identifier_hash,
        client.consent_at,
        client.registered_at,
        client.registered_by,
    )
    return added is not None


async def client_by_id(tx: Transaction, client_id: UUID) -> Client | None:
    """One client; None also when it is another branch's."""
    row = await tx.fetch_one(QUERIES.client_by_id, client_id)
    return None if row is None else _client(row)


async def client_by_identifier(tx: Transaction, *, branch: str, identifier_hash: str) -> Client | None:
    """A branch's client with this identifier."""
    row = await tx.fetch_one(QUERIES.client_by_identifier, branch, identifier_hash)
    return None if row is None else _client(row)


async def clients_page(
    tx: Transaction, *, branch: str | None, identifier_hash: str | None, after: UUID | None, limit: int
) -> list[Client]:
    """Clients below ``after``, the newest first."""
    rows = await tx.fetch(QUERIES.clients_page, after, branch, identifier_hash, limit)
    return [_client(row) for row in rows]


def _client(row: asyncpg.Record) -> Client:
    return Client(
        id=UUID(int=row["id"].int),
        number=row["number"],
        branch=row["branch"],
        kind=row["kind"],
        name=row["name"],
        identifier=row["identifier"],
        identifier_hash=row["identifier_hash"],
        consent_at=row["consent_at"],
        registered_at=row["registered_at"],
        registered_by=row["registered_by"],
    )


# --- the list -------------------------------------------------------------------------------------------------------


async def add_entry(tx: Transaction, filed: FiledEntry, name_pieces: Sequence[int]) -> bool:
    """Keep a proposed entry; False when the client has an open one."""
    entry = filed.entry
    added = await tx.fetch_value(
        QUERIES.add_entry,
        entry.id,
        entry.branch,
        filed.name,
        filed.identifier,
        entry.identifier_hash,
        list(name_pieces),
        entry.reason_code,
        entry.proposed_by,
        entry.proposed_at,
    )
    return added is not None


async def entry_by_id(tx: Transaction, entry_id: UUID) -> FiledEntry | None:
    """One entry."""
    row = await tx.fetch_one(QUERIES.entry_by_id, entry_id)
    return None if row is None else _filed(row)


async def lock_entry(tx: Transaction, entry_id: UUID) -> FiledEntry | None:
    """One entry, for a change; None also when its branch is not the caller's to change."""
    row = await tx.fetch_one(QUERIES.lock_entry, entry_id)
    return None if row is None else _filed(row)


async def save_entry(tx: Transaction, entry: ListEntry) -> None:
    """Keep what a step changed."""
    await tx.execute(
        QUERIES.save_entry,
        entry.id,
        entry.state,
        entry.confirmed_by,
        entry.listed_at,
        entry.appealed_by,
        entry.appealed_at,
        entry.lifted_by,
        entry.lifted_at,
    )


async def entries_page(
    tx: Transaction, *, state: EntryState | None, identifier_hash: str | None, after: UUID | None, limit: int
) -> list[FiledEntry]:
    """Entries below ``after``, the newest first."""
    rows = await tx.fetch(QUERIES.entries_page, after, state, identifier_hash, limit)
    return [_filed(row) for row in rows]


async def add_entry_fact(tx: Transaction, entry: ListEntry, *, person: str, reason: bytes | None) -> None:
    """Write a line of an entry's history."""
    await tx.execute(QUERIES.add_entry_fact, entry.id, entry.branch, entry.state, tx.now, person, reason)


async def entry_facts(tx: Transaction, entry_id: UUID) -> list[EntryFact]:
    """The history of an entry, oldest first."""
    rows = await tx.fetch(QUERIES.entry_facts, entry_id)
    return [EntryFact(state=row["state"], at=row["at"], person=row["person"], reason=row["reason"]) for row in rows]


def _filed(row: asyncpg.Record) -> FiledEntry:
    entry = ListEntry(
        id=UUID(int=row["id"].int),
        branch=row["branch"],
        identifier_hash=row["identifier_hash"],
        reason_code=row["reason_code"],
        state=row["state"],
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        confirmed_by=row["confirmed_by"],
        listed_at=row["listed_at"],
        appealed_by=row["appealed_by"],
        appealed_at=row["appealed_at"],
        lifted_by=row["lifted_by"],
        lifted_at=row["lifted_at"],
    )
    return FiledEntry(entry=entry, name=row["name"], identifier=row["identifier"])


# --- screening ------------------------------------------------------------------------------------------------------


async def find_hits(tx: Transaction, *, identifier_hash: str | None, name_pieces: Sequence[int]) -> list[Hit]:
    """Entries in force with this identifier, then those whose name is near; each entry once."""
    hits: dict[UUID, Hit] = {}
    if identifier_hash is not None:
        for row in await tx.fetch(QUERIES.entries_in_force_by_identifier, identifier_hash):
            entry_id = UUID(int=row["id"].int)
            hits[entry_id] = Hit(list_entry_id=entry_id, match="identifier", reason_code=row["reason_code"])
    if name_pieces:
        for row in await tx.fetch(QUERIES.entries_in_force_by_name, list(name_pieces)):
            entry_id = UUID(int=row["id"].int)
            if similarity(name_pieces, row["name_pieces"]) >= NEAR:
                hits.setdefault(entry_id, Hit(list_entry_id=entry_id, match="name", reason_code=row["reason_code"]))
    return list(hits.values())


async def add_screening(tx: Transaction, screening: Screening) -> bool:
    """Keep what was found; False when the subject was screened before."""
    added = await tx.fetch_value(
        QUERIES.add_screening,
        screening.id,
        screening.subject,
        screening.branch,
        screening.screened_at,
        list(screening.hits),
        screening.traceparent,
    )
    return added is not None


async def screenings_page(tx: Transaction, *, subject: str | None, after: UUID | None, limit: int) -> list[Screening]:
    """Screenings below ``after``, the newest first."""
    rows = await tx.fetch(QUERIES.screenings_page, after, subject, limit)
    return [
        Screening(
            id=UUID(int=row["id"].int),
            subject=row["subject"],
            branch=row["branch"],
            screened_at=row["screened_at"],
            hits=row["hits"],
            traceparent=row["traceparent"],
        )
        for row in rows
    ]
