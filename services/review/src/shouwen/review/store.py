"""What review keeps: one function for each named query, and the form in which personal data rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg

from shouwen.contracts.client import ClientReferred, Hit
from shouwen.review.domain.identity import plain
from shouwen.review.domain.listing import Entry, EntryState, StepName
from shouwen.review.domain.registration import Client
from shouwen.review.domain.screening import MOST_HITS, Candidate, SameIdentifier
from shouwen.runtime import queries
from shouwen.runtime.privacy import KeyRing, Seal, keyed_hash
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.review")

_ENTRY_FIELDS = (
    "id",
    "branch",
    "kind",
    "identifier_hash",
    "reason_code",
    "state",
    "proposed_by",
    "proposed_at",
    "confirmed_by",
    "confirmed_at",
    "appealed_by",
    "appealed_at",
    "lifted_by",
    "lifted_at",
    "client_id",
    "serious",
)
_CLIENT_FIELDS = ("id", "number", "branch", "kind", "registered_by", "registered_at")
_MOST_CANDIDATES = 4 * MOST_HITS


@dataclass(frozen=True, slots=True)
class Protection:
    """How personal data are kept: encrypted for us, hashed to be found; ``seal`` opens what intake sends."""

    keys: KeyRing
    hash_key: bytes
    seal: Seal

    def hash(self, identifier: str) -> str:
        """The keyed hash by which an identifier is found, here and in intake."""
        return keyed_hash(self.hash_key, plain(identifier))


@dataclass(frozen=True, slots=True)
class Particulars:
    """Name and identifier, encrypted."""

    name: bytes
    identifier: bytes


@dataclass(frozen=True, slots=True)
class FiledClient:
    """A client on file. ``listed_for`` is the reason code if the client is on the list.

    ``particulars`` is None once the client was erased.
    """

    seq: int
    client: Client
    particulars: Particulars | None
    listed_for: str | None
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FiledEntry:
    """An entry of the list with what rests encrypted beside it."""

    seq: int
    entry: Entry
    particulars: Particulars
    reason: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an entry's history."""

    list_entry_id: UUID
    step: StepName
    at: datetime
    person: str
    reason: bytes | None


@dataclass(frozen=True, slots=True)
class Screening:
    """How a case's client was held against the list."""

    seq: int
    case_id: UUID
    branch: str
    screened_at: datetime
    hits: tuple[Hit, ...]
    traceparent: str | None


# --- clients --------------------------------------------------------------------------------------------------------


async def take_number(tx: Transaction, *, branch: str, year: int) -> int:
    """The next position of a branch and year."""
    return cast(int, await tx.fetch_value(QUERIES.take_number, branch, year))


async def number_of_identifier(tx: Transaction, *, branch: str, identifier_hash: str) -> str | None:
    """The form under which a branch has an identifier on file."""
    return cast("str | None", await tx.fetch_value(QUERIES.number_of_identifier, branch, identifier_hash))


async def add_client(tx: Transaction, client: Client, particulars: Particulars, *, identifier_hash: str) -> bool:
    """Keep a client; False when the branch has the identifier on file already."""
    added = await tx.fetch_value(
        QUERIES.add_client,
        client.id,
        client.number,
        client.branch,
        client.kind,
        particulars.name,
        particulars.identifier,
        identifier_hash,
        True,
        list(client.originals_seen),
        client.registered_by,
        client.registered_at,
    )
    return added is not None


async def clients(tx: Transaction, *, after: int, number: str | None, limit: int) -> list[FiledClient]:
    """Clients in the order of registration."""
    return [_client(row) for row in await tx.fetch(QUERIES.clients, after, number, limit)]


async def client_by_id(tx: Transaction, client_id: UUID) -> FiledClient | None:
    """A client, as far as one may see them."""
    row = await tx.fetch_one(QUERIES.client_by_id, client_id)
    return None if row is None else _client(row)


async def erase_client(tx: Transaction, identifier_hash: str, *, until: datetime) -> None:
    """Take a client who was registered until then out of the files of all branches."""
    await tx.execute(QUERIES.erase_client, identifier_hash, until)


# --- the list -------------------------------------------------------------------------------------------------------


async def add_entry(
    tx: Transaction,
    entry: Entry,
    particulars: Particulars,
    *,
    comparable_name: str,
    reason: bytes,
) -> bool:
    """Keep a proposal; False when an entry for the identifier is open already."""
    tag = await tx.execute(
        QUERIES.add_entry,
        entry.id,
        entry.branch,
        entry.client_id,
        entry.kind,
        particulars.name,
        comparable_name,
        particulars.identifier,
        entry.identifier_hash,
        entry.reason_code,
        reason,
        entry.proposed_by,
        entry.proposed_at,
        entry.serious,
    )
    return not tag.endswith(" 0")


async def save_entry(tx: Transaction, entry: Entry) -> None:
    """Keep what a step has changed."""
    await tx.execute(
        QUERIES.save_entry,
        entry.id,
        entry.state,
        entry.confirmed_by,
        entry.confirmed_at,
        entry.appealed_by,
        entry.appealed_at,
        entry.lifted_by,
        entry.lifted_at,
    )


async def add_step(
    tx: Transaction, entry: Entry, step: StepName, *, at: datetime, person: str, reason: bytes | None
) -> None:
    """Add a line to an entry's history."""
    await tx.execute(QUERIES.add_step, entry.id, entry.branch, step, at, person, reason)


async def lock_entry(tx: Transaction, entry_id: UUID) -> Entry | None:
    """An entry of one's own branches, held until this transaction ends."""
    row = await tx.fetch_one(QUERIES.lock_entry, entry_id)
    return None if row is None else _entry(row).entry


async def entry_by_id(tx: Transaction, entry_id: UUID) -> FiledEntry | None:
    """An entry, as far as one may see it."""
    row = await tx.fetch_one(QUERIES.entry_by_id, entry_id)
    return None if row is None else _entry(row)


async def entries(tx: Transaction, *, after: int, state: EntryState | None, limit: int) -> list[FiledEntry]:
    """Entries in the order in which they were proposed."""
    return [_entry(row) for row in await tx.fetch(QUERIES.entries, after, state, limit)]


async def steps(tx: Transaction, entry_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[Step]]:
    """The history of entries."""
    found: dict[UUID, list[Step]] = {}
    for row in await tx.fetch(QUERIES.steps, list(entry_ids)):
        found.setdefault(row["list_entry_id"], []).append(Step(**dict(row)))
    return found


async def serious_forgery_of(tx: Transaction, client_id: UUID) -> bool:
    """Whether two persons have confirmed that a client's forgery is serious."""
    return cast(bool, await tx.fetch_value(QUERIES.serious_forgery_of, client_id))


async def add_referral(tx: Transaction, fact: ClientReferred, *, authority: bytes) -> bool:
    """Keep that a forgery was reported to the judiciary; False when it was before."""
    added = await tx.fetch_value(
        QUERIES.add_referral, fact.client_id, fact.branch, authority, fact.referred_at, fact.referred_by, tx.now
    )
    return added is not None


# --- screening ------------------------------------------------------------------------------------------------------


async def same_identifier(tx: Transaction, identifier_hashes: Iterable[str]) -> list[SameIdentifier]:
    """Standing entries of any of these identifiers."""
    rows = await tx.fetch(QUERIES.same_identifier, list(identifier_hashes))
    return [SameIdentifier(row["id"], row["reason_code"]) for row in rows]


async def similar_names(tx: Transaction, comparable_name: str, *, similarity: float) -> list[Candidate]:
    """Standing entries of a similar name, nearest first."""
    await tx.execute(QUERIES.set_candidate_similarity, str(similarity))
    rows = await tx.fetch(QUERIES.similar_names, comparable_name, _MOST_CANDIDATES)
    return [
        Candidate(row["id"], row["kind"], row["comparable_name"], row["reason_code"], row["similarity"]) for row in rows
    ]


async def add_screening(
    tx: Transaction, case_id: UUID, *, branch: str, at: datetime, hits: Iterable[Hit], traceparent: str | None
) -> bool:
    """Keep a screening; False when the case was screened before."""
    stored = [hit.model_dump(mode="json") for hit in hits]
    return await tx.fetch_value(QUERIES.add_screening, case_id, branch, at, stored, traceparent) is not None


async def screenings(tx: Transaction, *, after: int, case_id: UUID | None, limit: int) -> list[Screening]:
    """Screenings in their order."""
    return [_screening(row) for row in await tx.fetch(QUERIES.screenings, after, case_id, limit)]


# --- rows -----------------------------------------------------------------------------------------------------------


def _client(row: asyncpg.Record) -> FiledClient:
    values: dict[str, Any] = {name: row[name] for name in _CLIENT_FIELDS}
    return FiledClient(
        seq=row["seq"],
        client=Client(**values, originals_seen=tuple(row["originals_seen"])),
        particulars=None if row["erased_at"] is not None else Particulars(row["name"], row["identifier"]),
        listed_for=row["listed_for"],
        erased_at=row["erased_at"],
    )


def _entry(row: asyncpg.Record) -> FiledEntry:
    values: dict[str, Any] = {name: row[name] for name in _ENTRY_FIELDS}
    return FiledEntry(
        seq=row["seq"],
        entry=Entry(**values),
        particulars=Particulars(row["name"], row["identifier"]),
        reason=row["reason"],
    )


def _screening(row: asyncpg.Record) -> Screening:
    values: dict[str, Any] = dict(row)
    values["hits"] = tuple(Hit.model_validate(hit) for hit in row["hits"])
    return Screening(**values)
