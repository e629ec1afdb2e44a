"""The register's REST API: in each room, its routes and what their requests and answers look like."""

from fastapi import APIRouter

from shouwen.intake.http import (
    attachments,
    bulk,
    cases,
    commands,
    directory,
    evaluation,
    events,
    investigation,
    remedy,
    search,
    suggestion,
)
from shouwen.intake.http.channels import Channels
from shouwen.intake.store.protection import Protection
from shouwen.runtime.unit_of_work import UnitOfWork


def routes(work: UnitOfWork, protection: Protection, channels: Channels) -> APIRouter:
    """The routes of the register, over these transactions."""
    router = APIRouter(prefix="/api")
    for room in (bulk, search, cases, commands, directory, events, evaluation, investigation, remedy, suggestion):
        room.add_routes(router, work, protection)
    attachments.add_routes(router, work, protection, channels=channels)
    return router
