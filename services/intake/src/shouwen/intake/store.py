"""What intake keeps: one function for each named query, and the form in which personal data rest."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

import asyncpg

from shouwen.contracts.case import CaseEvent, CaseType, ClientMention
from shouwen.contracts.event import CloudEvent
from shouwen.intake.domain.case import OPEN_STATES, Case
from shouwen.intake.domain.directory import Branch, Person
from shouwen.intake.domain.registration import Particulars
from shouwen.intake.domain.timeline import Entry, plain_values
from shouwen.runtime import queries, telemetry
from shouwen.runtime.privacy import KeyRing, Seal, keyed_hash
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake")

Mark = Literal["client_blacklisted", "client_name_similar"]


@dataclass(frozen=True, slots=True)
class Protection:
    """How personal data are kept: encrypted for us, hashed to be found, sealed for one other service."""

    keys: KeyRing
    hash_key: bytes
    seal: Seal

    def encrypt(self, text: str | None) -> bytes | None:
        """The text for a bytea column."""
        return None if text is None else self.keys.encrypt(text)

    def decrypt(self, value: bytes | None) -> str | None:
        """The text of a bytea column."""
        return None if value is None else self.keys.decrypt(value)

    def hash(self, value: str | None) -> str | None:
        """The keyed hash by which a phone number or an identifier is found."""
        return None if value is None else keyed_hash(self.hash_key, value)

    def fingerprint(self, text: str) -> str:
        """A keyed hash of a text as it stands, by which the same request is recognised."""
        return hmac.new(self.hash_key, text.encode(), hashlib.sha256).hexdigest()

    def mention(self, particulars: Particulars) -> ClientMention | None:
        """The client of a case for an event: a hash, and what only the review service can open."""
        claims = {"name": particulars.client_name, "identifier": particulars.client_identifier}
        given = {name: value for name, value in claims.items() if value is not None}
        if not given:
            return None
        return ClientMention(
            identifier_hash=self.hash(particulars.client_identifier),
            sealed=self.seal.seal(given),
        )


@dataclass(frozen=True, slots=True)
class Protected:
    """The particulars of a case as they rest in the database."""

    subject: bytes
    description: bytes
    requester_name: bytes | None
    requester_phone: bytes | None
    requester_phone_hash: str | None
    client_name: bytes | None
    client_identifier: bytes | None
    client_identifier_hash: str | None

    @classmethod
    def of(cls, particulars: Particulars, protection: Protection) -> "Protected":
        """Encrypt the particulars."""
        return cls(
            subject=protection.keys.encrypt(particulars.subject),
            description=protection.keys.encrypt(particulars.description),
            requester_name=protection.encrypt(particulars.requester_name),
            requester_phone=protection.encrypt(particulars.requester_phone),
            requester_phone_hash=protection.hash(particulars.requester_phone),
            client_name=protection.encrypt(particulars.client_name),
            client_identifier=protection.encrypt(particulars.client_identifier),
            client_identifier_hash=protection.hash(particulars.client_identifier),
        )

    def open(self, protection: Protection) -> Particulars:
        """Decrypt the particulars.

        Raises:
            Unreadable: the key was destroyed or is not configured.
        """
        return Particulars(
            subject=protection.keys.decrypt(self.subject),
            description=protection.keys.decrypt(self.description),
            requester_name=protection.decrypt(self.requester_name),
            requester_phone=protection.decrypt(self.requester_phone),
            client_name=protection.decrypt(self.client_name),
            client_identifier=protection.decrypt(self.client_identifier),
        )


@dataclass(frozen=True, slots=True)
class Filed:
    """A case with its particulars, as it lies in the register."""

    case: Case
    protected: Protected


@dataclass(frozen=True, slots=True)
class CaseMark:
    """A mark that a case has or had."""

    mark: Mark
    list_entry_id: UUID
    reason_code: str
    marked_at: datetime
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Note:
    """Words that a person recorded with a fact."""

    type: str
    at: datetime
    by: str
    text: bytes


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One line of a timeline, own or heard."""

    at: datetime
    event_id: str
    source: str
    type: str
    details: Mapping[str, Any]
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page of the register is narrowed to; None lets everything through."""

    branch: str | None = None
    type: CaseType | None = None
    state: str | None = None
    owner: str | None = None
    client: str | None = None


# --- requests that must have their effect once --------------------------------------------------------------------


async def claim_key(tx: Transaction, *, person: str, key: str, branch: str, request_hash: str, case_id: UUID) -> bool:
    """Whether the key was free; it is taken now. Waits for another request with it to end."""
    return await tx.fetch_value(QUERIES.claim_key, person, key, branch, request_hash, case_id, tx.now) is not None


async def claimed_key(tx: Transaction, *, person: str, key: str) -> tuple[str, UUID] | None:
    """The hash of the request which took the key, and its case; None when it is another branch's."""
    row = await tx.fetch_one(QUERIES.claimed_key, person, key)
    return None if row is None else (row["request_hash"], row["case_id"])


# --- the register -------------------------------------------------------------------------------------------------


async def take_number(tx: Transaction, *, branch: str, year: int) -> int:
    """The next position in the series of a branch and year."""
    return cast(int, await tx.fetch_value(QUERIES.take_number, branch, year))


async def add_case(tx: Transaction, case: Case, protected: Protected) -> None:
    """Put a new case into the register."""
    await tx.execute(
        QUERIES.add_case,
        case.id,
        case.number,
        case.branch,
        case.type,
        case.severity,
        case.channel,
        case.relation,
        case.state,
        case.received_at,
        case.registered_at,
        case.registrar,
        case.owner,
        case.department,
        case.promised_at,
        case.traceparent,
        protected.subject,
        protected.description,
        protected.requester_name,
        protected.requester_phone,
        protected.requester_phone_hash,
        protected.client_name,
        protected.client_identifier,
        protected.client_identifier_hash,
    )


async def case_by_number(tx: Transaction, number: str) -> Filed | None:
    """A case by its number; None also when it is another branch's."""
    row = await tx.fetch_one(QUERIES.case_by_number, number)
    return None if row is None else _filed(row)


async def case_by_id(tx: Transaction, case_id: UUID) -> Filed | None:
    """A case by its id; None also when it is another branch's."""
    row = await tx.fetch_one(QUERIES.case_by_id, case_id)
    return None if row is None else _filed(row)


async def lock_case_by_number(tx: Transaction, number: str) -> Filed | None:
    """A case by its number, for a change."""
    row = await tx.fetch_one(QUERIES.lock_case_by_number, number)
    return None if row is None else _filed(row)


async def lock_case_by_id(tx: Transaction, case_id: UUID) -> Filed | None:
    """A case by its id, for a change."""
    row = await tx.fetch_one(QUERIES.lock_case_by_id, case_id)
    return None if row is None else _filed(row)


async def lock_open_cases_of_client(tx: Transaction, identifier_hash: str) -> list[Case]:
    """The open cases that name a client, for a change."""
    rows = await tx.fetch(QUERIES.lock_open_cases_of_client, identifier_hash, sorted(OPEN_STATES))
    return [_filed(row).case for row in rows]


async def save_case(tx: Transaction, case: Case) -> None:
    """Keep what a command changed."""
    await tx.execute(
        QUERIES.save_case,
        case.id,
        case.state,
        case.owner,
        case.department,
        case.replied_at,
        case.plan_delivered_at,
        case.ended_at,
    )


async def cases_page(tx: Transaction, filters: Filters, *, after: UUID | None, limit: int) -> list[Filed]:
    """Cases below ``after``, the newest first."""
    rows = await tx.fetch(
        QUERIES.cases_page, after, filters.branch, filters.type, filters.state, filters.owner, filters.client, limit
    )
    return [_filed(row) for row in rows]


def _filed(row: asyncpg.Record) -> Filed:
    case = Case(
        id=UUID(int=row["id"].int),
        number=row["number"],
        branch=row["branch"],
        type=row["type"],
        severity=row["severity"],
        channel=row["channel"],
        relation=row["relation"],
        state=row["state"],
        received_at=row["received_at"],
        registered_at=row["registered_at"],
        registrar=row["registrar"],
        owner=row["owner"],
        department=row["department"],
        promised_at=row["promised_at"],
        traceparent=row["traceparent"],
        replied_at=row["replied_at"],
        plan_delivered_at=row["plan_delivered_at"],
        ended_at=row["ended_at"],
    )
    protected = Protected(
        subject=row["subject"],
        description=row["description"],
        requester_name=row["requester_name"],
        requester_phone=row["requester_phone"],
        requester_phone_hash=row["requester_phone_hash"],
        client_name=row["client_name"],
        client_identifier=row["client_identifier"],
        client_identifier_hash=row["client_identifier_hash"],
    )
    return Filed(case=case, protected=protected)


# --- facts and timeline -------------------------------------------------------------------------------------------


async def add_fact(
    tx: Transaction, event: CloudEvent[CaseEvent], *, actor: str | None, note: bytes | None = None
) -> None:
    """Keep a case's own fact, for ever."""
    await tx.execute(
        QUERIES.add_fact,
        event.id,
        event.data.case_id,
        event.data.branch,
        event.type,
        event.time,
        tx.now,
        actor,
        _json(plain_values(event.data)),
        event.traceparent,
        note,
    )


async def notes(tx: Transaction, case_id: UUID) -> list[Note]:
    """The words recorded with a case's facts."""
    rows = await tx.fetch(QUERIES.notes, case_id)
    return [Note(type=row["type"], at=row["at"], by=row["actor"], text=row["note"]) for row in rows]


async def add_heard(tx: Transaction, entries: Iterable[Entry]) -> None:
    """Keep facts heard from other services."""
    await tx.execute_many(
        QUERIES.add_heard,
        [
            (
                entry.source,
                entry.event_id,
                entry.case_id,
                entry.branch,
                entry.type,
                entry.at,
                tx.now,
                _json(entry.values),
                entry.traceparent,
            )
            for entry in entries
        ],
    )


async def timeline_page(
    tx: Transaction, case_id: UUID, *, after: tuple[datetime, str] | None, limit: int
) -> list[TimelineRow]:
    """A case's timeline from after a place in it, the oldest first."""
    at, event_id = after or (None, None)
    rows = await tx.fetch(QUERIES.timeline_page, case_id, at, event_id, limit)
    return [
        TimelineRow(
            at=row["at"],
            event_id=row["event_id"],
            source=row["source"],
            type=row["type"],
            details=json.loads(row["details"]),
            traceparent=row["traceparent"],
        )
        for row in rows
    ]


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(values, ensure_ascii=False)


# --- marks and the list of dishonest clients ----------------------------------------------------------------------


async def listed_entry(tx: Transaction, identifier_hash: str) -> tuple[UUID, str] | None:
    """The live list entry of an identifier, and its reason code."""
    row = await tx.fetch_one(QUERIES.listed_entry, identifier_hash)
    return None if row is None else (row["list_entry_id"], row["reason_code"])


async def list_client(
    tx: Transaction, *, list_entry_id: UUID, branch: str, identifier_hash: str, reason_code: str, listed_at: datetime
) -> bool:
    """Note a list entry; False when it is known to be lifted already."""
    return cast(
        bool, await tx.fetch_value(QUERIES.list_client, list_entry_id, branch, identifier_hash, reason_code, listed_at)
    )


async def delist_client(
    tx: Transaction, *, list_entry_id: UUID, branch: str, identifier_hash: str, reason_code: str, delisted_at: datetime
) -> None:
    """Note that a list entry no longer stands, and lift the marks it left."""
    await tx.execute(QUERIES.delist_client, list_entry_id, branch, identifier_hash, reason_code, delisted_at)
    await tx.execute(QUERIES.lift_marks, list_entry_id, delisted_at)


async def marks(tx: Transaction, case_id: UUID) -> list[CaseMark]:
    """The marks of a case, also those that were lifted."""
    rows = await tx.fetch(QUERIES.marks, case_id)
    return [
        CaseMark(
            mark=row["mark"],
            list_entry_id=row["list_entry_id"],
            reason_code=row["reason_code"],
            marked_at=row["marked_at"],
            lifted_at=row["lifted_at"],
        )
        for row in rows
    ]


async def add_mark(
    tx: Transaction, case: Case, *, mark: Mark, list_entry_id: UUID, reason_code: str, marked_at: datetime
) -> None:
    """Mark a case for a list entry."""
    await tx.execute(QUERIES.add_mark, case.id, mark, list_entry_id, case.branch, reason_code, marked_at)


# --- looks --------------------------------------------------------------------------------------------------------


async def add_look(tx: Transaction, case: Case, *, person: str, fields: Sequence[str]) -> None:
    """Record that a person saw these fields unmasked."""
    await tx.execute(QUERIES.add_look, tx.now, person, case.id, case.branch, list(fields), telemetry.current_trace_id())


# --- events of other systems --------------------------------------------------------------------------------------


async def claim_group_event(
    tx: Transaction, *, source: str, event_id: str, branch: str, content_hash: str, accepted_by: str
) -> bool:
    """Whether the event is new; it is taken in now."""
    taken = await tx.fetch_value(QUERIES.claim_group_event, source, event_id, branch, content_hash, accepted_by, tx.now)
    return taken is not None


async def claimed_group_event(tx: Transaction, *, source: str, event_id: str) -> str | None:
    """The hash of the content that came before under this id; None when it is another branch's."""
    return cast("str | None", await tx.fetch_value(QUERIES.claimed_group_event, source, event_id))


# --- directory ----------------------------------------------------------------------------------------------------


async def branch_entry(tx: Transaction, branch: str) -> Branch | None:
    """A branch, if the directory has it."""
    row = await tx.fetch_one(QUERIES.branch_entry, branch)
    return None if row is None else _branch(row)


async def active_person(tx: Transaction, person: str, branch: str) -> tuple[bool, str | None]:
    """Whether the directory has this person at work in the branch, and their department."""
    row = await tx.fetch_one(QUERIES.person_department, person, branch)
    return (False, None) if row is None else (True, row["department"])


async def lock_directory(tx: Transaction) -> None:
    """Hold back others who bring the directory up to date."""
    await tx.execute(QUERIES.lock_directory)


async def branches(tx: Transaction) -> list[Branch]:
    """The branches one may see."""
    return [_branch(row) for row in await tx.fetch(QUERIES.branches)]


async def persons(tx: Transaction, protection: Protection) -> list[Person]:
    """The persons one may see."""
    return [
        Person(
            person=row["person"],
            branch=row["branch"],
            department=row["department"],
            roles=tuple(row["roles"]),
            active=row["active"],
            name=protection.keys.decrypt(row["name"]),
            email=protection.decrypt(row["email"]),
        )
        for row in await tx.fetch(QUERIES.persons)
    ]


async def save_branch(tx: Transaction, entry: Branch) -> None:
    """Keep a branch as it is described now."""
    await tx.execute(
        QUERIES.save_branch, entry.branch, entry.name, entry.number_prefix, entry.time_zone, list(entry.packs)
    )


async def save_person(tx: Transaction, entry: Person, protection: Protection) -> None:
    """Keep a person as they are described now."""
    await tx.execute(
        QUERIES.save_person,
        entry.person,
        entry.branch,
        entry.department,
        list(entry.roles),
        entry.active,
        protection.encrypt(entry.name),
        protection.encrypt(entry.email),
    )


def _branch(row: asyncpg.Record) -> Branch:
    return Branch(
        branch=row["branch"],
        name=row["name"],
        number_prefix=row["number_prefix"],
        time_zone=row["time_zone"],
        packs=tuple(row["packs"]),
    )
