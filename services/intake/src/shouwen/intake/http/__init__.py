"""The register's REST API: in each room, its routes and what their requests and answers look like."""

from datetime import timedelta

from fastapi import APIRouter

from shouwen.intake.domain.progress import PublicAccess
from shouwen.intake.http import (
    attachments,
    bulk,
    cases,
    commands,
    custody,
    delegations,
    digest,
    directory,
    directory_import,
    erasure,
    evaluation,
    events,
    investigation,
    mail,
    progress,
    relatives,
    remedy,
    search,
    suggestion,
    survey,
    web_form,
)
from shouwen.intake.http.channels import Channels
from shouwen.intake.store.protection import Protection
from shouwen.runtime.unit_of_work import UnitOfWork


def routes(
    work: UnitOfWork, protection: Protection, channels: Channels, *, handover_time: timedelta, access: PublicAccess
) -> APIRouter:
    """The routes of the register, over these transactions."""
    router = APIRouter(prefix="/api")
    for room in (
        bulk,
        search,
        erasure,
        cases,
        directory,
        directory_import,
        delegations,
        events,
        evaluation,
        investigation,
        relatives,
        remedy,
        suggestion,
        digest,
    ):
        room.add_routes(router, work, protection)
    attachments.add_routes(router, work, protection, channels=channels)
    mail.add_routes(router, channels=channels)
    web_form.add_routes(router, forms=channels.forms)
    custody.add_routes(router, work, protection, handover_time=handover_time)
    for room_of_requesters in (commands, progress, survey):
        room_of_requesters.add_routes(router, work, protection, access=access)
    return router
