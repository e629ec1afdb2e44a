"""Cases that turn out to be one matter, or near to each other."""

from shouwen.intake.domain import merging
from shouwen.intake.domain.case import Case
from shouwen.intake.handlers.shared import NoSuchCase, Once, actor_of, claim, locked, person_of, record, tell
from shouwen.intake.store import cases, dossier, relatives
from shouwen.intake.store.cases import Filed
from shouwen.runtime.errors import Invalid
from shouwen.runtime.unit_of_work import Transaction


async def merge_case(tx: Transaction, number: str, *, into: str, note: bytes | None, once: Once | None = None) -> Case:
    """End a case in favour of another, which goes on for both.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    case, survivor = await _both(tx, number, into, field="into")
    if once and not await claim(tx, case, once):
        return case
    beside = await dossier.dossier(tx, case.id)
    changed, fact = merging.merge(case, survivor, actor=actor_of(tx), now=tx.now, dossier=beside)
    await record(tx, case, changed, fact, "merge case", note=note)
    return changed


async def link_case(tx: Transaction, number: str, *, other: str, note: bytes | None, once: Once | None = None) -> Case:
    """Note that two cases are near to each other.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    case, near = await _both(tx, number, other, field="other")
    if once and not await claim(tx, case, once):
        return case
    are_linked = await relatives.are_linked(tx, case, near)
    fact, back = merging.link(case, near, are_linked=are_linked, actor=actor_of(tx), now=tx.now)
    await relatives.add_link(tx, case, near, linked_by=person_of(tx).person)
    await tell(tx, case, "link case", fact, note=note)
    await tell(tx, near, "link case", back)
    return case


async def surviving(tx: Transaction, filed: Filed) -> Filed:
    """The case in which the matter goes on: itself, unless it was merged, perhaps more than once."""
    while filed.case.merged_into is not None:
        survivor = await cases.case_by_id(tx, filed.case.merged_into)
        if survivor is None:
            raise NoSuchCase
        filed = survivor
    return filed


async def _both(tx: Transaction, number: str, other: str, *, field: str) -> tuple[Case, Case]:
    """Two cases, locked in the order of their numbers, as everybody does who locks two."""
    if number == other:
        raise merging.SameCase(field)
    found: dict[str, Case] = {}
    for each in sorted((number, other)):
        try:
            found[each] = (await locked(tx, each)).case
        except NoSuchCase:
            if each == number:
                raise
            raise Invalid(
                "There is no case of this number, or it is not of your branch.",
                field=field,
                remedy="Check the number; GET /api/cases lists the cases you may see.",
            ) from None
    return found[number], found[other]
