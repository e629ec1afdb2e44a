"""Weekly digests of suggestions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from shouwen.contracts.case import CaseState, Channel
from shouwen.contracts.event import BranchCode, Identifier
from shouwen.intake.domain.digest import Digest
from shouwen.intake.handlers import digest as handlers
from shouwen.intake.handlers.digest import Suggestion
from shouwen.intake.http.fields import Sent, place_of
from shouwen.intake.store import digest as store
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork


class DigestSent(Sent):
    """The branch whose suggestions are to go to their departments now."""

    branch: BranchCode


class CategoryShown(BaseModel):
    """What some suggestions of a digest are about."""

    category: str | None = Field(description="Null: nobody sorted them")
    suggestions: int


class DigestShown(BaseModel):
    """What was suggested to one department."""

    id: UUID
    branch: str
    department: str = Field(description="unassigned: they belong to no department yet")
    made_at: datetime
    made_by: str | None = Field(description="Null: the week ended by itself")
    suggestions: int
    categories: list[CategoryShown] = Field(description="The same suggestions by what they are about")

    @classmethod
    def of(cls, digest: Digest) -> "DigestShown":
        """The digest as it is shown."""
        return cls(
            id=digest.id,
            branch=digest.branch,
            department=digest.department,
            made_at=digest.made_at,
            made_by=digest.made_by,
            suggestions=digest.suggestions,
            categories=[
                CategoryShown(category=each.category, suggestions=each.suggestions) for each in digest.categories
            ],
        )


class SuggestionShown(BaseModel):
    """A suggestion in a digest."""

    number: str
    subject: str
    category: str | None
    channel: Channel
    state: CaseState
    received_at: datetime
    owner: str

    @classmethod
    def of(cls, suggestion: Suggestion) -> "SuggestionShown":
        """The suggestion as it is shown."""
        case = suggestion.case
        return cls(
            number=case.number,
            subject=suggestion.subject,
            category=suggestion.category,
            channel=case.channel,
            state=case.state,
            received_at=case.received_at,
            owner=case.owner,
        )


class DigestPage(DigestShown):
    """A digest with a page of its suggestions, the oldest first."""

    items: list[SuggestionShown]
    next: str | None


class DigestsMade(BaseModel):
    """The digests that were made; none when nothing was suggested since the last ones."""

    items: list[DigestShown]


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""

    @router.post("/suggestions/digests", status_code=201, tags=["casework"])
    async def make_digests(body: DigestSent, caller: Caller) -> DigestsMade:
        """Make the digests of a branch now, with a directing role; on Mondays at eight they are made by themselves."""
        async with work.as_person(caller) as tx:
            made = await handlers.make_digests(tx, body.branch)
        return DigestsMade(items=[DigestShown.of(each) for each in made])

    @router.get("/suggestions/digests", tags=["casework"])
    async def list_digests(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: Annotated[BranchCode | None, Query()] = None,
        department: Annotated[Identifier | None, Query()] = None,
    ) -> Page[DigestShown]:
        """Digests of the caller's branches, the newest first."""
        place = place_of(after)
        async with work.as_person(caller) as tx:
            found = await store.digests_page(tx, branch=branch, department=department, after=place, limit=limit + 1)
        following = str(found[limit - 1].id) if len(found) > limit else None
        return Page(items=[DigestShown.of(each) for each in found[:limit]], next=following)

    @router.get("/suggestions/digests/{digest_id}", tags=["casework"])
    async def show_digest(
        digest_id: UUID,
        caller: Caller,
        limit: Limit,
        after: After,
        category: Annotated[Identifier | None, Query(description="Only those about this")] = None,
    ) -> DigestPage:
        """One digest with its suggestions."""
        place = place_of(after)
        async with work.as_person(caller) as tx:
            digest, found = await handlers.show_digest(
                tx, digest_id, category=category, after=place, limit=limit + 1, protection=protection
            )
        following = str(found[limit - 1].case.id) if len(found) > limit else None
        return DigestPage(
            **DigestShown.of(digest).model_dump(),
            items=[SuggestionShown.of(each) for each in found[:limit]],
            next=following,
        )
