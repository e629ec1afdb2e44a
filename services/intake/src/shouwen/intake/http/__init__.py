"""The register's REST API: in each room, its routes and what their requests and answers look like."""

from fastapi import APIRouter

from shouwen.intake.http import cases, commands, directory, events
from shouwen.intake.store.protection import Protection
from shouwen.runtime.unit_of_work import UnitOfWork


def routes(work: UnitOfWork, protection: Protection) -> APIRouter:
    """The routes of the register, over these transactions."""
    router = APIRouter(prefix="/api")
    for room in (cases, commands, directory, events):
        room.add_routes(router, work, protection)
    return router
