"""Searching the register: every filter is a parameter of the address."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from shouwen.contracts.case import CaseState, CaseType
from shouwen.contracts.event import BranchCode, Identifier, Instant
from shouwen.intake.domain.search import Search, terms_of
from shouwen.intake.handlers import search as searching
from shouwen.intake.http.cases import CaseListed
from shouwen.intake.http.fields import PHONE_FORM
from shouwen.intake.store.protection import Protection
from shouwen.intake.store.search import Place
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page, bad_place
from shouwen.runtime.unit_of_work import UnitOfWork


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""
    frequency = searching.Frequency()

    def asked(
        text: Annotated[
            str | None,
            Query(
                max_length=200,
                pattern=r"^[^\x00-\x1f\x7f]*$",
                description="Words, each of at least two characters, that all stand in subject or description",
            ),
        ] = None,
        number: Annotated[
            str | None,
            Query(pattern=r"^[A-Za-z]{1,4}[-0-9]{0,24}$", description="The beginning of a number, as BJ-2026-0001"),
        ] = None,
        client: Annotated[
            str | None, Query(pattern=r"^[0-9a-f]{64}$", description="A client's identifier_hash, as a case shows it")
        ] = None,
        client_identifier: Annotated[
            str | None,
            Query(
                max_length=40,
                pattern=r"^[0-9A-Za-z][0-9A-Za-z \-]{1,39}$",
                description="Resident ID number or unified social credit code of the client",
            ),
        ] = None,
        phone: Annotated[
            str | None, Query(max_length=40, pattern=PHONE_FORM, description="The requester's phone, whole")
        ] = None,
        email: Annotated[
            str | None, Query(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", description="The requester's address")
        ] = None,
        branch: Annotated[BranchCode | None, Query()] = None,
        type: Annotated[CaseType | None, Query()] = None,
        state: Annotated[CaseState | None, Query()] = None,
        owner: Annotated[Identifier | None, Query(description="The person responsible")] = None,
        department: Annotated[Identifier | None, Query(description="The department responsible")] = None,
        due_before: Annotated[
            Instant | None, Query(description="Cases with an open deadline before this moment")
        ] = None,
        received_from: Annotated[Instant | None, Query(description="Received at this moment or later")] = None,
        received_to: Annotated[Instant | None, Query(description="Received at this moment or before")] = None,
    ) -> Search | None:
        client_hash = protection.hash(client_identifier)
        if client is not None and client_hash is not None and client != client_hash:
            return None
        return Search(
            branch=branch,
            type=type,
            state=state,
            owner=owner,
            department=department,
            number=number.upper() if number else None,
            client_hash=client or client_hash,
            phone_hash=protection.hash_phone(phone),
            email_hash=protection.hash(email),
            terms=terms_of(text or ""),
            due_before=due_before,
            received_from=received_from,
            received_to=received_to,
        )

    @router.get("/cases", tags=["cases"])
    async def list_cases(
        caller: Caller, limit: Limit, after: After, search: Annotated[Search | None, Depends(asked)]
    ) -> Page[CaseListed]:
        """The register, the newest case first: by registration; with ``received_to`` by receipt, with ``number`` by
        number. All filters hold together. A page of a search for words may be short and still have a next one.
        """
        if search is None:
            return Page(items=[], next=None)
        place = _place(after, search)
        async with work.as_person(caller) as tx:
            found = await searching.find_cases(
                tx, search, after=place, limit=limit, protection=protection, frequency=frequency
            )
        return Page(
            items=[CaseListed.shown(each) for each in found.items],
            next=searching.text_of(found.following) if found.following else None,
        )


def _place(after: str | None, search: Search) -> Place | None:
    try:
        return None if after is None else searching.place_of(after, search)
    except (ValueError, OverflowError):
        raise bad_place() from None
