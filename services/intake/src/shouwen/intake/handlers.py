"""What intake does: each function loads, lets the domain decide, saves, and emits. None commits or publishes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.case import CaseEvent, CaseMarked
from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientScreened
from shouwen.contracts.directory import BranchDescribed, DirectoryFile, PersonDescribed
from shouwen.contracts.event import CloudEvent, Event
from shouwen.contracts.group import GroupFact
from shouwen.intake import store
from shouwen.intake.domain import case as life
from shouwen.intake.domain import registration as entering
from shouwen.intake.domain.case import CLERKS, Actor, Case
from shouwen.intake.domain.directory import Branch, Changes, Person, changes
from shouwen.intake.domain.numbering import case_number, registration_year
from shouwen.intake.domain.registration import Particulars, Registrar, Registration
from shouwen.intake.domain.timeline import entry_of
from shouwen.intake.domain.visibility import fields_to_mask, sees_unmasked
from shouwen.intake.store import CaseMark, Filed, Filters, Note, Protected, Protection, TimelineRow
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Invalid, NotFound, Refused
from shouwen.runtime.ids import new_id
from shouwen.runtime.privacy import mask_identifier, mask_name, mask_phone
from shouwen.runtime.unit_of_work import Transaction

SYSTEM = "system"


class KeyUsedOtherwise(Invalid):
    """The idempotency key was used for another request."""

    def __init__(self) -> None:
        super().__init__(
            field="Idempotency-Key",
            remedy="Send a new key with a new request; send the old key only with the unchanged request.",
        )


class EventDiffers(Refused):
    """An event of this source and id came before, with another content."""

    def __init__(self) -> None:
        super().__init__(field="id", remedy="Give each event its own id; correct a fact by a new event.")


class NoSuchCase(NotFound):
    """There is no case of this number, or it is not of your branch."""

    def __init__(self) -> None:
        super().__init__(field="number", remedy="Check the number; GET /api/cases lists the cases you may see.")


@dataclass(frozen=True, slots=True)
class Once:
    """A request that must have its effect once: the caller's key, and a hash of what is asked."""

    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer to a registration; ``is_new`` is False when the same request came before."""

    case: Case
    is_new: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A case as one person may see it."""

    case: Case
    particulars: Particulars
    client_hash: str | None
    is_masked: bool
    marks: Sequence[CaseMark] = ()
    notes: Sequence[tuple[Note, str]] = ()


# --- registration -------------------------------------------------------------------------------------------------


async def register_case(
    tx: Transaction, registration: Registration, *, once: Once, protection: Protection
) -> Registered:
    """Enter a matter into the register; the same request again gives the same case.

    Raises:
        Forbidden: the caller may not register, or not in this branch.
        Invalid: a field is wrong, or the key was used for another request.
        ClientBlacklisted: the service request of a client on the list of dishonest clients.
    """
    principal = person_of(tx)
    principal.require_role(*CLERKS, SYSTEM)
    principal.require_branch(registration.branch)
    case_id = new_id(tx.now)
    if not await store.claim_key(
        tx,
        person=principal.person,
        key=once.key,
        branch=registration.branch,
        request_hash=once.request_hash,
        case_id=case_id,
    ):
        return Registered(case=await _claimed(tx, principal, once), is_new=False)

    checked = entering.check(registration, now=tx.now)
    branch = await _branch(tx, registration.branch)
    registrar = Registrar(principal.person, is_system=principal.roles.isdisjoint(CLERKS))
    owner = entering.first_owner(registration, registrar)
    is_known, department = await store.active_person(tx, owner, branch.branch)
    if registration.owner is not None and not is_known:
        raise _unknown_owner()
    client = protection.mention(registration.particulars)
    protected = Protected.of(registration.particulars, protection)
    listed = await _listed(tx, protected.client_identifier_hash)
    entering.refuse_service(registration, listed[1] if listed else None)

    # From here to the commit this branch's other registrations wait: nothing slow may stand below.
    year = registration_year(tx.now, branch.time_zone)
    number = case_number(branch.number_prefix, year, await store.take_number(tx, branch=branch.branch, year=year))
    case, fact = entering.register(
        checked,
        case_id=case_id,
        number=number,
        registrar=registrar,
        owner=owner,
        department=registration.department or department,
        client=client,
        traceparent=telemetry.current_traceparent(),
    )
    telemetry.set_attributes(case_id=str(case.id), branch=case.branch)
    await store.add_case(tx, case, protected)
    await store.add_fact(tx, tx.emit(fact), actor=principal.person)
    if listed is not None:
        entry, reason_code = listed
        mark = entering.mark_listed(case, reason_code=reason_code, now=tx.now)
        await _add_mark(tx, case, mark, list_entry_id=entry)
    return Registered(case=case, is_new=True)


async def _claimed(tx: Transaction, principal: Principal, once: Once) -> Case:
    claimed = await store.claimed_key(tx, person=principal.person, key=once.key)
    if claimed is None or claimed[0] != once.request_hash:
        raise KeyUsedOtherwise
    filed = await store.case_by_id(tx, claimed[1])
    if filed is None:
        raise KeyUsedOtherwise
    return filed.case


async def _branch(tx: Transaction, code: str) -> Branch:
    branch = await store.branch_entry(tx, code)
    if branch is None:
        raise Invalid(
            "The directory does not have this branch.",
            field="branch",
            remedy="GET /api/directory lists your branches; the operator adds one to the file SHOUWEN_DIRECTORY_FILE.",
        )
    return branch


async def _listed(tx: Transaction, identifier_hash: str | None) -> tuple[UUID, str] | None:
    return None if identifier_hash is None else await store.listed_entry(tx, identifier_hash)


def _unknown_owner() -> Invalid:
    return Invalid(
        "The directory has no such active person in this branch.",
        field="owner",
        remedy="GET /api/directory lists the branch's persons.",
    )


# --- commands -----------------------------------------------------------------------------------------------------


async def assign_case(
    tx: Transaction, number: str, *, owner: str, department: str | None, once: Once | None = None
) -> Case:
    """Pass the responsibility for a case to another person of its branch.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)
    branch = (await _locked(tx, number)).case.branch
    is_known, own_department = await store.active_person(tx, owner, branch)
    if not is_known:
        raise _unknown_owner()
    department = department or own_department

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.assign(case, owner=owner, department=department, actor=actor, now=tx.now)

    return await _work_on(tx, number, "assign case", decide, once=once)


async def reply_case(
    tx: Transaction,
    number: str,
    *,
    replied_at: datetime | None,
    written: bool,
    note: bytes | None,
    once: Once | None = None,
) -> Case:
    """Record that the requester was answered.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.reply(case, replied_at=replied_at, written=written, actor=actor, now=tx.now)

    return await _work_on(tx, number, "reply case", decide, note=note, once=once)


async def plan_case(
    tx: Transaction, number: str, *, delivered_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """Record that a written plan reached the requester.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.deliver_plan(case, delivered_at=delivered_at, actor=actor, now=tx.now)

    return await _work_on(tx, number, "plan case", decide, note=note, once=once)


async def resolve_case(
    tx: Transaction, number: str, *, resolved_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """End a case that was handled.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.resolve(case, resolved_at=resolved_at, actor=actor, now=tx.now)

    return await _work_on(tx, number, "resolve case", decide, note=note, once=once)


async def withdraw_case(
    tx: Transaction, number: str, *, withdrawn_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """End a case that its requester withdrew.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.withdraw(case, withdrawn_at=withdrawn_at, actor=actor, now=tx.now)

    return await _work_on(tx, number, "withdraw case", decide, note=note, once=once)


async def _work_on(
    tx: Transaction,
    number: str,
    name: str,
    decide: Callable[[Case], tuple[Case, CaseEvent]],
    *,
    note: bytes | None = None,
    once: Once | None = None,
) -> Case:
    """Carry out one command on a case, inside the case's own trace; the same request again changes nothing."""
    case = (await _locked(tx, number)).case
    if once and not await _claim(tx, case, once):
        return case
    changed, fact = decide(case)
    with telemetry.continued(case.traceparent, name, case_id=str(case.id), branch=case.branch):
        await store.save_case(tx, changed)
        await store.add_fact(tx, tx.emit(fact), actor=person_of(tx).person, note=note)
    return changed


async def _locked(tx: Transaction, number: str) -> Filed:
    person_of(tx).require_role(*CLERKS)
    filed = await store.lock_case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    return filed


async def _claim(tx: Transaction, case: Case, once: Once) -> bool:
    """Whether the command is to be carried out; False when it was, under the same key.

    Raises:
        KeyUsedOtherwise: the key was used for something else.
    """
    person = person_of(tx).person
    if await store.claim_key(
        tx, person=person, key=once.key, branch=case.branch, request_hash=once.request_hash, case_id=case.id
    ):
        return True
    if await store.claimed_key(tx, person=person, key=once.key) != (once.request_hash, case.id):
        raise KeyUsedOtherwise
    return False


# --- reading ------------------------------------------------------------------------------------------------------


async def show_case(tx: Transaction, number: str, *, protection: Protection) -> Shown:
    """A case as the caller may see it; a look at unmasked data is recorded.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await store.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    shown = _shown(filed, actor_of(tx), protection)
    if not shown.is_masked and (fields := fields_to_mask(shown.particulars)):
        await store.add_look(tx, filed.case, person=person_of(tx).person, fields=fields)
    notes = await store.notes(tx, filed.case.id)
    return Shown(
        case=shown.case,
        particulars=shown.particulars,
        client_hash=shown.client_hash,
        is_masked=shown.is_masked,
        marks=await store.marks(tx, filed.case.id),
        notes=[(note, protection.keys.decrypt(note.text)) for note in notes],
    )


async def list_cases(
    tx: Transaction, filters: Filters, *, after: UUID | None, limit: int, protection: Protection
) -> list[Shown]:
    """A page of the register, the newest first; a list shows personal data masked to everyone."""
    page = await store.cases_page(tx, filters, after=after, limit=limit)
    return [_masked(filed, protection) for filed in page]


async def show_timeline(
    tx: Transaction, number: str, *, after: tuple[datetime, str] | None, limit: int
) -> list[TimelineRow]:
    """A case's own facts and what was heard of it, the oldest first.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await store.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    return await store.timeline_page(tx, filed.case.id, after=after, limit=limit)


def _shown(filed: Filed, actor: Actor, protection: Protection) -> Shown:
    if not sees_unmasked(filed.case, actor):
        return _masked(filed, protection)
    return Shown(
        case=filed.case,
        particulars=filed.protected.open(protection),
        client_hash=filed.protected.client_identifier_hash,
        is_masked=False,
    )


def _masked(filed: Filed, protection: Protection) -> Shown:
    open_ = filed.protected.open(protection)
    return Shown(
        case=filed.case,
        particulars=Particulars(
            subject=open_.subject,
            description=open_.description,
            requester_name=_each(mask_name, open_.requester_name),
            requester_phone=_each(mask_phone, open_.requester_phone),
            client_name=open_.client_name,
            client_identifier=_each(mask_identifier, open_.client_identifier),
        ),
        client_hash=filed.protected.client_identifier_hash,
        is_masked=True,
    )


def _each(mask: Callable[[str], str], value: str | None) -> str | None:
    return None if value is None else mask(value)


# --- what other services and systems tell -------------------------------------------------------------------------


async def note_heard(events: Sequence[CloudEvent[Event]], tx: Transaction) -> None:
    """Put facts of other services into the timelines of the cases they are about."""
    entries = [entry for event in events if (entry := entry_of(event)) is not None]
    if entries:
        await store.add_heard(tx, entries)


async def client_screened(event: CloudEvent[ClientScreened], tx: Transaction) -> None:
    """Mark the case for each hit: by identifier as listed, by name as similar, for a person to look at (I-17).

    Raises:
        NoSuchCase: intake has no such case; a person must see why.
    """
    await note_heard([event], tx)
    if not event.data.hits:
        return
    filed = await store.lock_case_by_id(tx, event.data.case_id)
    if filed is None:
        raise NoSuchCase
    for hit in event.data.hits:
        mark = entering.mark_listed if hit.match == "identifier" else entering.mark_similar
        await _add_mark(
            tx,
            filed.case,
            mark(filed.case, reason_code=hit.reason_code, now=tx.now),
            list_entry_id=hit.list_entry_id,
        )


async def client_blacklisted(event: CloudEvent[ClientBlacklisted], tx: Transaction) -> None:
    """Remember the listed identifier, and mark the client's open cases in every branch (I-17; 002 六5)."""
    fact = event.data
    stands = await store.list_client(
        tx,
        list_entry_id=fact.list_entry_id,
        branch=fact.branch,
        identifier_hash=fact.identifier_hash,
        reason_code=fact.reason_code,
        listed_at=fact.listed_at,
    )
    if not stands:
        return
    for case in await store.lock_open_cases_of_client(tx, fact.identifier_hash):
        with telemetry.continued(case.traceparent, "mark case", case_id=str(case.id), branch=case.branch):
            mark = entering.mark_listed(case, reason_code=fact.reason_code, now=tx.now)
            await _add_mark(tx, case, mark, list_entry_id=fact.list_entry_id)


async def client_delisted(event: CloudEvent[ClientDelisted], tx: Transaction) -> None:
    """Accept the client's service requests again; the marks stay as history."""
    fact = event.data
    await store.delist_client(
        tx,
        list_entry_id=fact.list_entry_id,
        branch=fact.branch,
        identifier_hash=fact.identifier_hash,
        reason_code=fact.reason_code,
        delisted_at=fact.delisted_at,
    )


async def _add_mark(tx: Transaction, case: Case, fact: CaseMarked, *, list_entry_id: UUID) -> None:
    """Add a mark; it is told once per case and kind, however many list entries stand behind it."""
    standing = [each for each in await store.marks(tx, case.id) if each.lifted_at is None]
    await store.add_mark(
        tx,
        case,
        mark=fact.mark,
        list_entry_id=list_entry_id,
        reason_code=fact.reason_code or "",
        marked_at=fact.marked_at,
    )
    if all(each.mark != fact.mark for each in standing):
        await store.add_fact(tx, tx.emit(fact), actor=None)


async def accept_group_event(tx: Transaction, event: CloudEvent[GroupFact], *, content_hash: str) -> bool:
    """Pass an event of another system on to ``group.v1``, unchanged; False when it came before.

    Raises:
        Forbidden: the caller is no system, or the event's branch is not theirs.
        EventDiffers: the same source and id came before with another content.
    """
    principal = person_of(tx)
    principal.require_role(SYSTEM)
    principal.require_branch(event.data.branch)
    if not await store.claim_group_event(
        tx,
        source=event.source,
        event_id=event.id,
        branch=event.data.branch,
        content_hash=content_hash,
        accepted_by=principal.person,
    ):
        if await store.claimed_group_event(tx, source=event.source, event_id=event.id) != content_hash:
            raise EventDiffers
        return False
    tx.emit(
        event.data,
        subject=event.subject,
        time=event.time,
        event_id=event.id,
        source=event.source,
        traceparent=event.traceparent,
    )
    return True


# --- directory ----------------------------------------------------------------------------------------------------


async def load_directory(tx: Transaction, file: DirectoryFile, *, protection: Protection) -> Changes:
    """Bring the directory to what the file says, and tell what changed. Who is not in the file is no longer active."""
    await store.lock_directory(tx)
    changed = changes(
        stored_branches=await store.branches(tx),
        stored_persons=await store.persons(tx, protection),
        branches=file.branches,
        persons=file.persons,
    )
    for branch in changed.branches:
        await store.save_branch(tx, branch)
        tx.emit(
            BranchDescribed(
                branch=branch.branch,
                name=branch.name,
                number_prefix=branch.number_prefix,
                time_zone=branch.time_zone,
                packs=branch.packs,
            )
        )
    for person in changed.persons:
        await store.save_person(tx, person, protection)
        tx.emit(
            PersonDescribed(
                branch=person.branch,
                person=person.person,
                department=person.department,
                roles=person.roles,
                active=person.active,
                contact=_contact(person, protection),
            )
        )
    return changed


async def show_directory(tx: Transaction, *, protection: Protection) -> tuple[list[Branch], list[Person]]:
    """The caller's branches, and who works there."""
    return await store.branches(tx), await store.persons(tx, protection)


def _contact(person: Person, protection: Protection) -> str:
    claims = {"name": person.name} | ({"email": person.email} if person.email else {})
    return protection.seal.seal(claims)


def person_of(tx: Transaction) -> Principal:
    """Who asks; a transaction of the event path has nobody."""
    assert tx.principal is not None
    return tx.principal


def actor_of(tx: Transaction) -> Actor:
    """Who asks, as the domain knows them."""
    principal = person_of(tx)
    return Actor(person=principal.person, roles=principal.roles, branches=principal.branches)
