"""Branches and persons."""

from fastapi import APIRouter
from pydantic import BaseModel

from shouwen.intake.handlers import directory
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork


class BranchShown(BaseModel):
    """A branch of the directory."""

    branch: str
    name: str
    number_prefix: str
    time_zone: str
    packs: list[str]


class PersonShown(BaseModel):
    """A person of the directory, without contact."""

    person: str
    name: str
    branch: str
    department: str | None
    roles: list[str]
    active: bool


class DirectoryShown(BaseModel):
    """Your branches, and who works there."""

    branches: list[BranchShown]
    persons: list[PersonShown]


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""

    @router.get("/directory", tags=["directory"])
    async def show_directory(caller: Caller) -> DirectoryShown:
        """Your branches, and who works there; contact data stay hidden."""
        async with work.as_person(caller) as tx:
            branches, persons = await directory.show_directory(tx, protection=protection)
        return DirectoryShown(
            branches=[BranchShown.model_validate(each.model_dump(mode="json")) for each in branches],
            persons=[
                PersonShown(
                    person=each.person,
                    name=each.name,
                    branch=each.branch,
                    department=each.department,
                    roles=list(each.roles),
                    active=each.active,
                )
                for each in persons
            ],
        )
