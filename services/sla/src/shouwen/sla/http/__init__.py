"""The REST side: in each room, its routes and what their requests and answers look like."""

from fastapi import APIRouter

from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.domain.policies import Policies
from shouwen.sla.http import clocks, packs


def routes(work: UnitOfWork, policies: Policies) -> APIRouter:
    """The routes of this service."""
    router = APIRouter(prefix="/api", tags=["sla"])
    for room in (clocks, packs):
        room.add_routes(router, work, policies)
    return router
