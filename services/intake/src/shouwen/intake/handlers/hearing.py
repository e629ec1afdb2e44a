"""What other services tell: entries of timelines, and the list of dishonest clients."""

from collections.abc import Sequence
from uuid import UUID

from shouwen.contracts.case import CaseMarked
from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientScreened
from shouwen.contracts.clock import ClockExtended
from shouwen.contracts.event import CloudEvent, Event
from shouwen.intake.domain import registration as entering
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.deadline import deadlines_of
from shouwen.intake.domain.timeline import case_of, entry_of
from shouwen.intake.handlers.notices import request_notice
from shouwen.intake.handlers.shared import NoSuchCase
from shouwen.intake.store import cases, facts, listed, search
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.unit_of_work import Transaction


async def note_heard(events: Sequence[CloudEvent[Event]], tx: Transaction) -> None:
    """Put facts of other services into the timelines of the cases they are about, and keep when these are due."""
    entries = [entry for event in events if (entry := entry_of(event)) is not None]
    if entries:
        await facts.add_heard(tx, entries)
    if deadlines := deadlines_of(events):
        await search.note_deadlines(tx, deadlines)


async def clocks_heard(events: Sequence[CloudEvent[Event]], tx: Transaction, *, protection: Protection) -> None:
    """Put what became of clocks into the timelines, and confirm to requesters in writing that they have to wait."""
    await note_heard(events, tx)
    for event in events:
        fact, case_id = event.data, case_of(event)
        if not isinstance(fact, ClockExtended) or case_id is None:
            continue
        filed = await cases.case_by_id(tx, case_id)
        if filed is not None:
            values = {"due_at": fact.due_at.isoformat()}
            await request_notice(tx, filed, "extension", protection=protection, values=values)


async def client_screened(event: CloudEvent[ClientScreened], tx: Transaction) -> None:
    """Mark the case for each hit: by identifier as listed, by name as similar, for a person to look at (I-17).

    Raises:
        NoSuchCase: intake has no such case; a person must see why.
    """
    await note_heard([event], tx)
    if not event.data.hits:
        return
    filed = await cases.lock_case_by_id(tx, event.data.case_id)
    if filed is None:
        raise NoSuchCase
    for hit in event.data.hits:
        mark = entering.mark_listed if hit.match == "identifier" else entering.mark_similar
        await add_mark(
            tx,
            filed.case,
            mark(filed.case, reason_code=hit.reason_code, now=tx.now),
            list_entry_id=hit.list_entry_id,
        )


async def client_blacklisted(event: CloudEvent[ClientBlacklisted], tx: Transaction) -> None:
    """Remember the listed identifier, and mark the client's open cases in every branch (I-17; 002 六5)."""
    fact = event.data
    stands = await listed.list_client(
        tx,
        list_entry_id=fact.list_entry_id,
        branch=fact.branch,
        identifier_hash=fact.identifier_hash,
        reason_code=fact.reason_code,
        listed_at=fact.listed_at,
    )
    if not stands:
        return
    for case in await cases.lock_open_cases_of_client(tx, fact.identifier_hash):
        with telemetry.continued(case.traceparent, "mark case", case_id=str(case.id), branch=case.branch):
            mark = entering.mark_listed(case, reason_code=fact.reason_code, now=tx.now)
            await add_mark(tx, case, mark, list_entry_id=fact.list_entry_id)


async def client_delisted(event: CloudEvent[ClientDelisted], tx: Transaction) -> None:
    """Accept the client's service requests again; the marks stay as history."""
    fact = event.data
    await listed.delist_client(
        tx,
        list_entry_id=fact.list_entry_id,
        branch=fact.branch,
        identifier_hash=fact.identifier_hash,
        reason_code=fact.reason_code,
        delisted_at=fact.delisted_at,
    )


async def add_mark(tx: Transaction, case: Case, fact: CaseMarked, *, list_entry_id: UUID) -> None:
    """Add a mark; it is told once per case and kind, however many list entries stand behind it."""
    standing = [each for each in await listed.marks(tx, case.id) if each.lifted_at is None]
    await listed.add_mark(
        tx,
        case,
        mark=fact.mark,
        list_entry_id=list_entry_id,
        reason_code=fact.reason_code or "",
        marked_at=fact.marked_at,
    )
    if all(each.mark != fact.mark for each in standing):
        await facts.add_fact(tx, tx.emit(fact), actor=None)
