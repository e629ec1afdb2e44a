"""What review does: each function loads, lets the domain decide, saves, and emits. None commits or publishes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from shouwen.contracts.case import CaseRegistered
from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientRegistered, ClientScreened, Hit
from shouwen.contracts.event import CloudEvent
from shouwen.review import store
from shouwen.review.domain.entry import EntryState, ListEntry
from shouwen.review.domain.identifiers import Kind, checked_identifier
from shouwen.review.store import Client, EntryFact, FiledEntry, Protection, Screening
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Invalid, NotFound, Refused
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction

STAFF = ("clerk", "manager", "department_head", "coordinator", "general_manager")
DECIDERS = ("manager", "general_manager")


class ConsentMissing(Invalid):
    """The client's consent comes before the check of its data (002 六3)."""

    def __init__(self) -> None:
        super().__init__(field="consent", remedy="Ask the client, and register with consent: true.")


class AlreadyOnFile(Refused):
    """The branch has this client on file."""

    def __init__(self, number: str) -> None:
        super().__init__(
            f"The branch has this client on file under {number}.", field="identifier", remedy="Use that registration."
        )


class AlreadyProposed(Refused):
    """The client stands on the list, or was proposed for it, already."""

    def __init__(self) -> None:
        super().__init__(field="identifier", remedy="GET /api/list-entries?identifier=… shows the entry.")


class NoSuchClient(NotFound):
    """There is no client of this id, or it is not of your branch."""


class NoSuchEntry(NotFound):
    """There is no list entry of this id, or it is not your branch's to decide."""


@dataclass(frozen=True, slots=True)
class Particulars:
    """A name and an identifier in the clear."""

    name: str
    identifier: str


# --- clients on file ------------------------------------------------------------------------------------------------


async def register_client(
    tx: Transaction, particulars: Particulars, *, branch: str, kind: Kind, consent: bool, protection: Protection
) -> Client:
    """Put a client on file under a number (002 六2).

    Raises:
        Forbidden: the caller may not register, or not in this branch.
        BadIdentifier: the identifier is mistyped.
        ConsentMissing: the client has not agreed.
        AlreadyOnFile: the branch has it already.
    """
    person = _staff(tx, STAFF)
    person.require_branch(branch)
    if not consent:
        raise ConsentMissing
    identifier = checked_identifier(particulars.identifier, kind)
    identifier_hash = protection.hash(identifier)
    if known := await store.client_by_identifier(tx, branch=branch, identifier_hash=identifier_hash):
        raise AlreadyOnFile(known.number)
    position = await store.take_number(tx, branch=branch, year=tx.now.year)
    client = Client(
        id=new_id(tx.now),
        number=f"{branch}-{tx.now.year}-{position:06}",
        branch=branch,
        kind=kind,
        name=protection.keys.encrypt(particulars.name.strip()),
        identifier=protection.keys.encrypt(identifier),
        identifier_hash=identifier_hash,
        consent_at=tx.now,
        registered_at=tx.now,
        registered_by=person.person,
    )
    if not await store.add_client(tx, client):
        raise AlreadyOnFile("another number")
    tx.emit(
        ClientRegistered(
            branch=branch,
            client_id=client.id,
            number=client.number,
            kind=kind,
            identifier_hash=identifier_hash,
            registered_at=client.registered_at,
        )
    )
    return client


async def show_client(tx: Transaction, client_id: UUID) -> Client:
    """One client.

    Raises:
        NoSuchClient: see there.
    """
    if client := await store.client_by_id(tx, client_id):
        return client
    raise NoSuchClient


# --- the list of dishonest clients ----------------------------------------------------------------------------------


async def propose_entry(
    tx: Transaction, particulars: Particulars, *, branch: str, reason_code: str, reason: str, protection: Protection
) -> FiledEntry:
    """The first person proposes a client for the list (002 六5).

    Raises:
        Forbidden, BadIdentifier: as for a registration.
        AlreadyProposed: the client has an open entry.
    """
    person = _staff(tx, STAFF)
    person.require_branch(branch)
    identifier = checked_identifier(particulars.identifier)
    entry = ListEntry(
        id=new_id(tx.now),
        branch=branch,
        identifier_hash=protection.hash(identifier),
        reason_code=reason_code,
        state="proposed",
        proposed_by=person.person,
        proposed_at=tx.now,
    )
    filed = FiledEntry(
        entry=entry,
        name=protection.keys.encrypt(particulars.name.strip()),
        identifier=protection.keys.encrypt(identifier),
    )
    if not await store.add_entry(tx, filed, protection.pieces(particulars.name)):
        raise AlreadyProposed
    await store.add_entry_fact(tx, entry, person=person.person, reason=protection.keys.encrypt(reason))
    return filed


async def confirm_entry(tx: Transaction, entry_id: UUID, *, protection: Protection) -> FiledEntry:
    """The second person puts the client on the list; every service acts on it (002 六5).

    Raises:
        Forbidden: the caller may not decide, or proposed it.
        WrongState: it is not proposed.
    """
    filed = await _step(tx, entry_id, ListEntry.confirm, DECIDERS, None, protection)
    entry = filed.entry
    tx.emit(
        ClientBlacklisted(
            branch=entry.branch,
            list_entry_id=entry.id,
            identifier_hash=entry.identifier_hash,
            reason_code=entry.reason_code,
            listed_at=tx.now,
            proposed_by=entry.proposed_by,
            confirmed_by=_person(tx).person,
        )
    )
    return filed


async def appeal_entry(tx: Transaction, entry_id: UUID, *, reason: str, protection: Protection) -> FiledEntry:
    """The first person proposes to take the client off the list.

    Raises:
        WrongState: it is not listed.
    """
    return await _step(tx, entry_id, ListEntry.appeal, STAFF, reason, protection)


async def lift_entry(tx: Transaction, entry_id: UUID, *, reason: str, protection: Protection) -> FiledEntry:
    """The second person takes the client off the list; its history stays.

    Raises:
        Forbidden: the caller may not decide, or proposed it.
        WrongState: nobody proposed it.
    """
    filed = await _step(tx, entry_id, ListEntry.lift, DECIDERS, reason, protection)
    entry = filed.entry
    tx.emit(
        ClientDelisted(
            branch=entry.branch,
            list_entry_id=entry.id,
            identifier_hash=entry.identifier_hash,
            reason_code=entry.reason_code,
            delisted_at=tx.now,
            proposed_by=entry.appealed_by or "",
            confirmed_by=_person(tx).person,
        )
    )
    return filed


async def show_entry(tx: Transaction, entry_id: UUID) -> tuple[FiledEntry, list[EntryFact]]:
    """One entry and its history.

    Raises:
        NoSuchEntry: see there.
    """
    if filed := await store.entry_by_id(tx, entry_id):
        return filed, await store.entry_facts(tx, entry_id)
    raise NoSuchEntry


async def list_entries(
    tx: Transaction,
    *,
    state: EntryState | None,
    identifier: str | None,
    after: UUID | None,
    limit: int,
    protection: Protection,
) -> list[FiledEntry]:
    """Entries of the whole group, the newest first."""
    identifier_hash = protection.hash(identifier) if identifier else None
    return await store.entries_page(tx, state=state, identifier_hash=identifier_hash, after=after, limit=limit)


async def _step(
    tx: Transaction,
    entry_id: UUID,
    step: Callable[..., ListEntry],
    roles: Sequence[str],
    reason: str | None,
    protection: Protection,
) -> FiledEntry:
    person = _staff(tx, roles)
    filed = await store.lock_entry(tx, entry_id)
    if filed is None:
        raise NoSuchEntry
    person.require_branch(filed.entry.branch)
    entry = step(filed.entry, by=person.person, at=tx.now)
    await store.save_entry(tx, entry)
    encrypted = protection.keys.encrypt(reason) if reason else None
    await store.add_entry_fact(tx, entry, person=person.person, reason=encrypted)
    return replace(filed, entry=entry)


# --- screening ------------------------------------------------------------------------------------------------------


async def screen_case(event: CloudEvent[CaseRegistered], tx: Transaction, *, protection: Protection) -> None:
    """Hold the client of a new case against the list, and say what was found, be it nothing."""
    case = event.data
    if case.client is None:
        return
    telemetry.set_attributes(case_id=str(case.case_id), branch=case.branch)
    name = protection.seal.open(case.client.sealed).get("name", "") if case.client.sealed else ""
    hits = await store.find_hits(
        tx, identifier_hash=case.client.identifier_hash, name_pieces=protection.pieces(name) if name else ()
    )
    screening = Screening(
        id=new_id(tx.now),
        subject=event.subject,
        branch=case.branch,
        screened_at=tx.now,
        hits=[hit.model_dump(mode="json") for hit in hits],
        traceparent=telemetry.current_traceparent(),
    )
    if await store.add_screening(tx, screening):
        tx.emit(ClientScreened(branch=case.branch, case_id=case.case_id, screened_at=tx.now, hits=tuple(hits)))


async def ask(tx: Transaction, *, identifier: str | None, name: str | None, protection: Protection) -> list[Hit]:
    """What the list says of an identifier and a name: the answer other systems act on (002 六5)."""
    _staff(tx, (*STAFF, "system"))
    return await store.find_hits(
        tx,
        identifier_hash=protection.hash(identifier) if identifier else None,
        name_pieces=protection.pieces(name) if name else (),
    )


async def screenings(tx: Transaction, *, subject: str | None, after: UUID | None, limit: int) -> list[Screening]:
    """What was screened, the newest first."""
    return await store.screenings_page(tx, subject=subject, after=after, limit=limit)


async def clients(
    tx: Transaction,
    *,
    branch: str | None,
    identifier: str | None,
    after: UUID | None,
    limit: int,
    protection: Protection,
) -> list[Client]:
    """Clients on file, the newest first."""
    identifier_hash = protection.hash(identifier) if identifier else None
    return await store.clients_page(tx, branch=branch, identifier_hash=identifier_hash, after=after, limit=limit)


def _person(tx: Transaction) -> Principal:
    assert tx.principal is not None, "a request of a person"
    return tx.principal


def _staff(tx: Transaction, roles: Sequence[str]) -> Principal:
    person = _person(tx)
    person.require_role(*roles)
    return person
