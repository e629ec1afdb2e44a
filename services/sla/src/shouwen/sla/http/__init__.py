"""The REST side: in each room, its routes and what their requests and answers look like."""

from fastapi import APIRouter

from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.http import calendars, clocks, event_types, packs


def routes(work: UnitOfWork, rules: Rules) -> APIRouter:
    """The routes of this service."""
    router = APIRouter(prefix="/api", tags=["sla"])
    for room in (clocks, packs, calendars, event_types):
        room.add_routes(router, work, rules)
    return router
