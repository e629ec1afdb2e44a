"""Event types of other systems, registered at run time."""

from datetime import datetime
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Path, Response
from pydantic import Field

from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.domain.event_type import EventType
from shouwen.sla.handlers import event_types
from shouwen.sla.handlers.rules import Rules

_ROLES = ("group_admin", "general_manager")
Name = Annotated[str, Path(max_length=100, description="As licence.expired.v1")]


class EventTypeItem(EventType):
    """A registered event type. Packs may start, stop, pause, resume and cancel clocks by it."""

    registered_by: str = Field(description="Who registered it as it stands")
    registered_at: datetime


def add_routes(router: APIRouter, work: UnitOfWork, rules: Rules) -> None:
    """Event types: registered, shown."""
    del rules

    @router.get("/event-types")
    async def list_event_types(caller: Caller, limit: Limit, after: After) -> Page[EventTypeItem]:  # pyright: ignore[reportUnusedFunction]
        """The event types that were registered, beside those of docs/events.md."""
        async with work.as_person(caller) as tx:
            rows = await event_types.list_event_types(tx, after or "", limit + 1)
        items = [EventTypeItem.model_validate(_item(row)) for row in rows[:limit]]
        return Page(items=items, next=items[-1].event_type if len(rows) > limit else None)

    @router.get("/event-types/{name}")
    async def get_event_type(name: Name, caller: Caller) -> EventTypeItem:  # pyright: ignore[reportUnusedFunction]
        """One registered event type."""
        async with work.as_person(caller) as tx:
            return EventTypeItem.model_validate(_item(await event_types.get_event_type(tx, name)))

    @router.post("/event-types", status_code=201)
    async def register_event_type(new: EventType, caller: Caller, response: Response) -> EventTypeItem:  # pyright: ignore[reportUnusedFunction]
        """Register an event type: its events on group.v1 are accepted and timed from now on, with no restart.

        Registering it again with more optional fields is allowed; anything else needs the next version of the type.
        """
        caller.require_role(*_ROLES)
        async with work.as_person(caller) as tx:
            is_new = await event_types.register_event_type(tx, new, caller.person)
            row = await event_types.get_event_type(tx, new.event_type)
        response.status_code = 201 if is_new else 200
        return EventTypeItem.model_validate(_item(row))


def _item(row: asyncpg.Record) -> dict[str, Any]:
    return {**row["document"], "registered_by": row["registered_by"], "registered_at": row["registered_at"]}
