"""A small service for the runtime's tests: it books what it hears and tells so, in order per case.

A case number of ``REFUSE``, ``BUG``, ``CONSTRAINT`` or ``AWAY`` makes its handler fail in that way. It runs under the
name of the notify service, whose stream it emits on.
"""

import os
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from pydantic import BaseModel

from shouwen.contracts.case import CaseRegistered, CaseReplied
from shouwen.contracts.event import CloudEvent, Event
from shouwen.contracts.message import MessageSent
from shouwen.runtime import queries
from shouwen.runtime.auth import Caller
from shouwen.runtime.consumer import Subscriptions, UnknownFact
from shouwen.runtime.errors import Refused, Transient
from shouwen.runtime.service import Service
from shouwen.runtime.settings import ServiceSettings
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("ledger")


class LedgerSettings(ServiceSettings):
    """Nothing of its own."""


class Away(Transient):
    """Something the handler needs is away."""


is_away = {"AWAY": False}


async def book(event: CloudEvent[Event], transaction: Transaction, case_id: str, what: str) -> None:
    """Lock the case, book the event, tell the fact under the case's key."""
    place = await transaction.fetch_value(QUERIES.advance_head, case_id, event.data.branch)
    place = 1_000_000 if what == "CONSTRAINT" else place
    await transaction.execute(QUERIES.add_entry, event.data.branch, case_id, event.id, what, place)
    tell(transaction, event.data.branch, case_id, event.id, place)


def tell(transaction: Transaction, branch: str, case_id: str, cause: str, place: int, pad: str = "") -> None:
    transaction.emit(
        MessageSent(
            branch=branch,
            message_id=UUID(case_id),
            about=f"case/{case_id}",
            cause=cause,
            recipient="nobody",
            channel="inbox",
            template=f"place-{place}",
            sent_at=transaction.now,
        )
    )


async def registered(event: CloudEvent[CaseRegistered], transaction: Transaction) -> None:
    match event.data.number:
        case "REFUSE":
            raise Refused("The ledger refuses this case.")
        case "BUG":
            raise RuntimeError("secret value 13800138000")
        case "AWAY" if is_away["AWAY"]:
            raise Away
        case _:
            await book(event, transaction, str(event.data.case_id), event.data.number)


async def replied(event: CloudEvent[CaseReplied], transaction: Transaction) -> None:
    await book(event, transaction, str(event.data.case_id), "replied")


async def group_facts(events: Sequence[CloudEvent[Event]], transaction: Transaction) -> None:
    for event in events:
        what = f"unknown {event.type}" if isinstance(event.data, UnknownFact) else event.type
        await transaction.execute(QUERIES.add_entry, event.data.branch, event.subject, event.id, what, len(events))


class Emit(BaseModel):
    """What POST /emit takes."""

    branch: str
    case_id: UUID
    count: int = 1


def routes(service: Service) -> APIRouter:
    router = APIRouter()

    @router.post("/emit")
    async def emit(caller: Caller, wanted: Emit) -> dict[str, int]:  # pyright: ignore[reportUnusedFunction]
        async with service.work.as_person(caller) as transaction:
            place = 0
            for _ in range(wanted.count):
                place = await transaction.fetch_value(QUERIES.advance_head, str(wanted.case_id), wanted.branch)
                await transaction.execute(
                    QUERIES.add_entry, wanted.branch, str(wanted.case_id), str(uuid4()), "posted", place
                )
                tell(transaction, wanted.branch, str(wanted.case_id), "posted", place)
        return {"place": place}

    @router.get("/entries")
    async def entries(caller: Caller) -> list[dict[str, Any]]:  # pyright: ignore[reportUnusedFunction]
        async with service.work.as_person(caller) as transaction:
            return [dict(row) for row in await transaction.fetch(QUERIES.list_entries)]

    return router


async def cannot_succeed() -> None:
    raise Refused("The directory file is not there.")


def create(settings: LedgerSettings) -> Service:
    service = Service("notify", settings, migrations="ledger")
    subscriptions = Subscriptions()
    subscriptions.each(CaseRegistered, registered)
    subscriptions.each(CaseReplied, replied)
    subscriptions.batch("group.v1", group_facts, accepts_unknown=True)
    service.hears(subscriptions)
    service.serves(routes(service))
    if "LEDGER_FAILS" in os.environ:
        service.prepares(cannot_succeed)
    return service
