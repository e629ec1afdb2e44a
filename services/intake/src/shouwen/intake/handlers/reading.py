"""Cases, pages of the register and timelines, as one person may see them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shouwen.intake.domain.case import Actor, Case
from shouwen.intake.domain.registration import Particulars
from shouwen.intake.domain.visibility import fields_to_mask, sees_unmasked
from shouwen.intake.handlers.shared import (
    NoSuchCase,
    actor_of,
    person_of,
    with_delegates,
)
from shouwen.intake.handlers.surroundings import NONE, Surroundings, surroundings
from shouwen.intake.store import cases, facts, listed, search
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.facts import Note, TimelineRow
from shouwen.intake.store.listed import CaseMark
from shouwen.intake.store.protection import Protection
from shouwen.runtime.privacy import mask_email, mask_identifier, mask_name, mask_phone
from shouwen.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Shown:
    """A case as one person may see it."""

    case: Case
    particulars: Particulars
    client_hash: str | None
    is_masked: bool
    marks: Sequence[CaseMark] = ()
    notes: Sequence[tuple[Note, str]] = ()
    around: Surroundings = NONE
    next_due_at: datetime | None = None
    erased: Sequence[Literal["client", "requester"]] = ()


async def show_case(tx: Transaction, number: str, *, protection: Protection) -> Shown:
    """A case as the caller may see it; a look at unmasked data is recorded.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    filed = await with_delegates(tx, filed)
    shown = _shown(filed, actor_of(tx), protection)
    if not shown.is_masked and (fields := fields_to_mask(shown.particulars)):
        await facts.add_look(tx, filed.case, person=person_of(tx).person, fields=fields)
    notes = await facts.notes(tx, filed.case.id)
    return Shown(
        case=shown.case,
        particulars=shown.particulars,
        client_hash=shown.client_hash,
        is_masked=shown.is_masked,
        marks=await listed.marks(tx, filed.case.id),
        next_due_at=await search.next_due_at(tx, filed.case),
        erased=shown.erased,
        notes=[(note, protection.keys.decrypt(note.text)) for note in notes],
        around=await surroundings(tx, filed, protection=protection),
    )


async def show_timeline(
    tx: Transaction, number: str, *, after: tuple[datetime, str] | None, limit: int
) -> list[TimelineRow]:
    """A case's own facts and what was heard of it, the oldest first.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    return await facts.timeline_page(tx, filed.case.id, after=after, limit=limit)


def _shown(filed: Filed, actor: Actor, protection: Protection) -> Shown:
    if not sees_unmasked(filed.case, actor):
        return masked(filed, protection)
    return Shown(
        case=filed.case,
        particulars=filed.protected.open(protection),
        client_hash=filed.protected.client_identifier_hash,
        is_masked=False,
        erased=filed.protected.erased,
    )


def masked(filed: Filed, protection: Protection) -> Shown:
    """A case as everyone of its branch may see it."""
    open_ = filed.protected.open(protection)
    return Shown(
        case=filed.case,
        particulars=Particulars(
            subject=open_.subject,
            description=open_.description,
            requester_name=_each(mask_name, open_.requester_name),
            requester_phone=_each(mask_phone, open_.requester_phone),
            requester_email=_each(mask_email, open_.requester_email),
            client_name=open_.client_name,
            client_identifier=_each(mask_identifier, open_.client_identifier),
        ),
        client_hash=filed.protected.client_identifier_hash,
        is_masked=True,
        erased=filed.protected.erased,
    )


def _each(mask: Callable[[str], str], value: str | None) -> str | None:
    return None if value is None else mask(value)
