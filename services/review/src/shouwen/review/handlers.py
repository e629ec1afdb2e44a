"""What review does: each function loads, lets the domain decide, saves, and emits. None commits or publishes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID, uuid5

from shouwen.contracts.case import CaseRegistered
from shouwen.contracts.casework import CaseErased
from shouwen.contracts.client import ClientReferred, ClientRegistered, ClientScreened, Hit
from shouwen.contracts.event import CloudEvent
from shouwen.review import store
from shouwen.review.domain import identity, listing, naming, registration, screening
from shouwen.review.domain.identity import Kind
from shouwen.review.domain.listing import DECIDERS, PROPOSERS, Entry, ReferredBefore
from shouwen.review.domain.registration import Client, Form, KnownClient, ListedClient, local_date
from shouwen.review.store import FiledClient, FiledEntry, Particulars, Protection, Step
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Invalid, NotFound, Refused
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction

Decision = Literal["confirm", "lift", "reject"]


class NoSuchClient(NotFound):
    """There is no such client, or it is not of your branch."""


class NoSuchEntry(NotFound):
    """There is no such entry, or it is not of your branch."""


class AlreadyOnList(Refused):
    """An entry for this identifier is open already."""

    def __init__(self) -> None:
        super().__init__(
            "This client is on the list already, or somebody has proposed it.",
            field="identifier",
            remedy="GET /api/list-entries shows the entry; a proposal of another branch shows when it is confirmed.",
        )


class ErasedClient(Refused):
    """The data of this client were erased."""

    def __init__(self) -> None:
        super().__init__(field="client_id", remedy="Give identifier and name instead.")


@dataclass(frozen=True, slots=True)
class Proposal:
    """Why a client should be on the list. Either ``client_id``, or ``identifier`` and ``name``.

    ``reason`` is for the persons who decide; ``reason_code`` travels to the other services.
    """

    branch: str | None
    reason_code: str
    reason: str
    client_id: UUID | None = None
    identifier: str | None = None
    name: str | None = None
    kind: Kind | None = None
    serious: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with its history."""

    filed: FiledEntry
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether somebody may be served: ``identifier_valid`` is None when no identifier was given."""

    hits: tuple[Hit, ...]
    identifier_valid: bool | None


# --- clients --------------------------------------------------------------------------------------------------------


async def register_client(tx: Transaction, form: Form, *, protection: Protection, time_zone: str) -> FiledClient:
    """Put a client on file under a numbered form (V-01; 002 六2).

    Raises:
        Forbidden: the caller may not register, or not in this branch.
        NoConsent, BadIdentifier, Invalid: the form is wrong.
        KnownClient: the branch has the client on file already.
        ListedClient: the client is on the list of dishonest clients.
    """
    principal = _person(tx)
    principal.require_role(*PROPOSERS)
    principal.require_branch(form.branch)
    today = local_date(tx.now, time_zone)
    form = registration.check(form, today=today)
    identifier_hash = protection.hash(form.identifier)
    if standing := await store.same_identifier(tx, [identifier_hash]):
        raise ListedClient(standing[0].reason_code)
    known = await store.number_of_identifier(tx, branch=form.branch, identifier_hash=identifier_hash)
    if known is not None:
        raise KnownClient(known)
    position = await store.take_number(tx, branch=form.branch, year=today.year)
    client = Client(
        id=new_id(tx.now),
        number=registration.form_number(form.branch, today.year, position),
        branch=form.branch,
        kind=form.kind,
        registered_by=principal.person,
        registered_at=tx.now,
        originals_seen=form.originals_seen,
    )
    particulars = Particulars(protection.keys.encrypt(form.name), protection.keys.encrypt(form.identifier))
    if not await store.add_client(tx, client, particulars, identifier_hash=identifier_hash):
        # A rival was quicker; the number he did not need is given back by the rollback.
        known = await store.number_of_identifier(tx, branch=form.branch, identifier_hash=identifier_hash)
        raise KnownClient(known or "of a moment ago")
    tx.emit(
        ClientRegistered(
            branch=client.branch,
            client_id=client.id,
            number=client.number,
            kind=client.kind,
            identifier_hash=identifier_hash,
            registered_at=client.registered_at,
        )
    )
    return FiledClient(seq=0, client=client, particulars=particulars, listed_for=None)


async def show_client(tx: Transaction, client_id: UUID) -> FiledClient:
    """A client of the caller's branches.

    Raises:
        NoSuchClient: there is none.
    """
    found = await store.client_by_id(tx, client_id)
    if found is None:
        raise NoSuchClient(field="id")
    return found


async def erase_client(event: CloudEvent[CaseErased], tx: Transaction) -> None:
    """Take an erased client out of the files of all branches; who registers anew afterwards is a new client (I-18)."""
    client = event.data.client
    if client is not None and client.identifier_hash is not None:
        await store.erase_client(tx, client.identifier_hash, until=event.data.erased_at)


# --- the list -------------------------------------------------------------------------------------------------------


async def propose(tx: Transaction, proposal: Proposal, *, protection: Protection, time_zone: str) -> Shown:
    """The first of two persons wants a client on the list (V-04; 002 六5).

    Raises:
        Forbidden: the caller may not propose, or not for this branch.
        ErasedClient: nothing is known of the client any more.
        Invalid: neither a client nor identifier and name are given, or the identifier is wrong.
        AlreadyOnList: an entry for the identifier is open already.
    """
    principal = _person(tx)
    principal.require_role(*PROPOSERS)
    listing.check_serious(serious=proposal.serious, reason_code=proposal.reason_code, client_id=proposal.client_id)
    name, identifier, kind, branch = await _proposed(tx, proposal, protection=protection, time_zone=time_zone)
    principal.require_branch(branch)
    entry = Entry(
        id=new_id(tx.now),
        branch=branch,
        kind=kind,
        identifier_hash=protection.hash(identifier),
        reason_code=proposal.reason_code,
        state="proposed",
        proposed_by=principal.person,
        proposed_at=tx.now,
        client_id=proposal.client_id,
        serious=proposal.serious,
    )
    reason = protection.keys.encrypt(proposal.reason)
    added = await store.add_entry(
        tx,
        entry,
        Particulars(protection.keys.encrypt(name), protection.keys.encrypt(identifier)),
        comparable_name=naming.comparable(name),
        reason=reason,
    )
    if not added:
        raise AlreadyOnList
    await store.add_step(tx, entry, "proposed", at=tx.now, person=principal.person, reason=reason)
    return await show_entry(tx, entry.id)


async def appeal(tx: Transaction, entry_id: UUID, *, reason: str, protection: Protection) -> Shown:
    """The first of two persons takes up a client's appeal.

    Raises:
        Forbidden, NoSuchEntry, NotNow: what stands against it.
    """
    principal = _person(tx)
    principal.require_role(*PROPOSERS)
    entry = listing.appeal(await _locked(tx, entry_id), person=principal.person, now=tx.now)
    await store.save_entry(tx, entry)
    text = protection.keys.encrypt(reason)
    await store.add_step(tx, entry, "appealed", at=tx.now, person=principal.person, reason=text)
    return await show_entry(tx, entry_id)


async def decide(
    tx: Transaction, entry_id: UUID, decision: Decision, *, reason: str | None, protection: Protection
) -> Shown:
    """The second of two persons decides: confirms a proposal, grants an appeal, or turns either down.

    Raises:
        Forbidden: the caller's role does not decide.
        SamePerson: the caller was the first person.
        NoSuchEntry, NotNow: what else stands against it.
    """
    principal = _person(tx)
    principal.require_role(*DECIDERS)
    entry = await _locked(tx, entry_id)
    match decision:
        case "confirm":
            changed, blacklisted = listing.confirm(entry, person=principal.person, now=tx.now)
            tx.emit(blacklisted)
            forgery = listing.forgery(entry, person=principal.person, now=tx.now)
            if forgery is not None:
                tx.emit(forgery)
            step = "confirmed"
        case "lift":
            changed, delisted = listing.lift(entry, person=principal.person, now=tx.now)
            tx.emit(delisted)
            step = "lifted"
        case "reject":
            changed = listing.reject(entry, person=principal.person)
            step = "rejected"
        case _:
            assert_never(decision)
    await store.save_entry(tx, changed)
    text = None if reason is None else protection.keys.encrypt(reason)
    await store.add_step(tx, changed, step, at=tx.now, person=principal.person, reason=text)
    return await show_entry(tx, entry_id)


async def refer(
    tx: Transaction, client_id: UUID, *, authority: str, referred_at: datetime | None, protection: Protection
) -> ClientReferred:
    """Record that a confirmed, serious forgery was reported to the judiciary (V-04; 002 六5).

    Raises:
        Forbidden: the caller's role does not decide.
        NoSuchClient, NothingToRefer, ReferredBefore, Invalid: what else stands against it.
    """
    principal = _person(tx)
    principal.require_role(*DECIDERS)
    client = (await show_client(tx, client_id)).client
    fact = listing.refer(
        branch=client.branch,
        client_id=client.id,
        is_serious=await store.serious_forgery_of(tx, client.id),
        referred_at=referred_at,
        person=principal.person,
        now=tx.now,
    )
    if not await store.add_referral(tx, fact, authority=protection.keys.encrypt(authority)):
        raise ReferredBefore
    tx.emit(fact)
    return fact


async def show_entry(tx: Transaction, entry_id: UUID) -> Shown:
    """An entry with its history.

    Raises:
        NoSuchEntry: there is none, or it is another branch's and not confirmed.
    """
    filed = await store.entry_by_id(tx, entry_id)
    if filed is None:
        raise NoSuchEntry(field="id")
    return Shown(filed, (await store.steps(tx, [entry_id])).get(entry_id, ()))


async def _proposed(
    tx: Transaction, proposal: Proposal, *, protection: Protection, time_zone: str
) -> tuple[str, str, Kind, str]:
    if proposal.client_id is not None:
        filed = await show_client(tx, proposal.client_id)
        if filed.particulars is None:
            raise ErasedClient
        name = protection.keys.decrypt(filed.particulars.name)
        identifier = protection.keys.decrypt(filed.particulars.identifier)
        return name, identifier, filed.client.kind, filed.client.branch
    name = " ".join((proposal.name or "").split())
    if proposal.identifier is None or not name:
        raise Invalid(
            "Who is it?", field="client_id", remedy="Give client_id, or identifier and name of somebody not on file."
        )
    if proposal.branch is None:
        raise Invalid("Which branch proposes it?", field="branch", remedy="Give the code of the branch.")
    identifier, kind = identity.checked(proposal.identifier, proposal.kind, today=local_date(tx.now, time_zone))
    return name, identifier, kind, proposal.branch


async def _locked(tx: Transaction, entry_id: UUID) -> Entry:
    entry = await store.lock_entry(tx, entry_id)
    if entry is None:
        raise NoSuchEntry(field="id", remedy="A branch decides about its own entries; group roles about all.")
    _person(tx).require_branch(entry.branch)
    return entry


# --- screening ------------------------------------------------------------------------------------------------------


async def screen_case(event: CloudEvent[CaseRegistered], tx: Transaction, *, protection: Protection) -> None:
    """Hold the client of a new case against the list, and tell the result, also when it is clear (V-05).

    Raises:
        Unreadable: the client was sealed with another key; a person must see why.
    """
    fact = event.data
    if fact.client is None:
        return
    claims = protection.seal.open(fact.client.sealed) if fact.client.sealed else {}
    hashes = {fact.client.identifier_hash} if fact.client.identifier_hash else set[str]()
    if identifier := claims.get("identifier"):
        hashes.add(protection.hash(identifier))
    hits = await _hits(tx, hashes, claims.get("name"))
    traceparent = telemetry.current_traceparent() or event.traceparent
    added = await store.add_screening(
        tx, fact.case_id, branch=fact.branch, at=tx.now, hits=hits, traceparent=traceparent
    )
    if added:
        tx.emit(
            ClientScreened(branch=fact.branch, case_id=fact.case_id, screened_at=tx.now, hits=hits),
            event_id=str(uuid5(fact.case_id, "client.screened")),
            traceparent=traceparent,
        )


async def ask(
    tx: Transaction, *, identifier: str | None, name: str | None, protection: Protection, time_zone: str
) -> Answer:
    """Answer whether somebody may be served, for any system of the group (V-03, V-05)."""
    hashes = {protection.hash(identifier)} if identifier else set[str]()
    hits = await _hits(tx, hashes, name)
    valid = identity.is_valid(identifier, today=local_date(tx.now, time_zone)) if identifier else None
    return Answer(hits, valid)


async def _hits(tx: Transaction, hashes: set[str], name: str | None) -> tuple[Hit, ...]:
    same = await store.same_identifier(tx, hashes) if hashes else []
    comparable = naming.comparable(name) if name else ""
    candidates = await store.similar_names(tx, comparable, similarity=naming.CANDIDATE_SIMILARITY) if comparable else []
    return screening.hits(comparable, same, candidates)


def _person(tx: Transaction) -> Principal:
    assert tx.principal is not None, "people's requests run in a person's transaction"
    return tx.principal
