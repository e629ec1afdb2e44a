"""Another system registers event types at run time, and its events are read by them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import asyncpg

from shouwen.contracts.catalogue import UnknownType
from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.errors import NotFound
from shouwen.runtime.subscriptions import UnknownFact
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.event_type import EventType, RegisteredFact, check_registration
from shouwen.sla.store import event_types, revision


def readable(events: Sequence[CloudEvent[Event]], known: Mapping[str, EventType]) -> list[CloudEvent[Event]]:
    """The same events, those of registered types as generic facts with their declared fields.

    Raises:
        UnknownType: nobody has registered the type of one of them.
        BadEvent: a declared field is missing or wrong.
    """
    return [_readable(each, each.data, known) if isinstance(each.data, UnknownFact) else each for each in events]


def _readable(event: CloudEvent[Event], data: UnknownFact, known: Mapping[str, EventType]) -> CloudEvent[Event]:
    registered = known.get(event.type)
    if registered is None:
        raise UnknownType(event.type)
    fact = RegisteredFact.model_validate({**registered.read(data.content), "branch": data.branch})
    return replace(event, data=fact)


async def register_event_type(tx: Transaction, new: EventType, person: str) -> bool:
    """Register a type, or add optional fields to one; False when it is there already, just so.

    Raises:
        Invalid: the suite has this type itself, or a field is declared wrongly.
        IncompatibleEventType: it is registered otherwise.
    """
    number = await revision.raise_revision(tx)
    standing = await event_types.get_event_type(tx, new.event_type)
    known = None if standing is None else EventType.model_validate(standing["document"])
    check_registration(new, known)
    if new == known:
        return False
    await event_types.add_event_type(tx, new.event_type, number, new.model_dump(mode="json"), person)
    return True


async def list_event_types(tx: Transaction, after: str, limit: int) -> list[asyncpg.Record]:
    """The registered types after one."""
    return await event_types.event_types(tx, after, limit)


async def get_event_type(tx: Transaction, name: str) -> asyncpg.Record:
    """One registered type.

    Raises:
        NotFound: nobody has registered it.
    """
    found = await event_types.get_event_type(tx, name)
    if found is None:
        raise NotFound(f"Nobody has registered the event type {name}.", remedy="See GET /api/event-types.")
    return found
