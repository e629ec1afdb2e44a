"""Splitting a matter that spans departments into parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shouwen.contracts.case import CaseType
from shouwen.intake.domain import parts as splitting
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.custody import Colleague, receiver_in
from shouwen.intake.domain.parts import PartWanted
from shouwen.intake.domain.registration import refuse_service
from shouwen.intake.handlers.shared import Once, actor_of, claim, locked, person_of, record, tell
from shouwen.intake.store import cases, directory, listed, registration, relatives
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.errors import Invalid
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class PartSent:
    """A part as the coordinator hands it in. Without an owner the department's head gets it, or the coordinator."""

    subject: str
    description: str
    department: str
    owner: str | None
    type: CaseType | None


async def split_case(
    tx: Transaction,
    number: str,
    sent: Sequence[PartSent],
    *,
    note: bytes | None,
    protection: Protection,
    once: Once | None = None,
) -> tuple[Case, list[Case]]:
    """Split a case into parts, each with its own number, department, owner and clocks.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        return case, [part.case for part in await relatives.parts(tx, case.id)]
    person = person_of(tx).person
    staff = [
        Colleague(each.entry.person, each.entry.department, each.entry.roles)
        for each in await directory.persons(tx, protection, branch=case.branch, active=True)
    ]
    identifier_hash = filed.protected.client_identifier_hash
    entry = None if identifier_hash is None else await listed.listed_entry(tx, identifier_hash)
    for each in sent:
        refuse_service(each.type or case.type, entry[1] if entry else None)
    # Ids of one instant have no order of their own; those of the parts are to follow their numbers.
    ids = sorted(new_id(tx.now) for _ in sent)
    wanted = [
        PartWanted(
            case_id=ids[position],
            type=each.type,
            department=each.department,
            owner=_owner(each, position, staff),
        )
        for position, each in enumerate(sent)
    ]
    department = next((each.department for each in staff if each.person == person), case.department)
    whole, fact, assigned, parts = splitting.split(case, wanted, department=department, actor=actor_of(tx), now=tx.now)
    await record(tx, case, whole, fact, "split case", note=note)
    if assigned is not None:
        await tell(tx, whole, "assign case", assigned)
    for (part, registered), each in zip(parts, sent, strict=True):
        protected = replace(
            filed.protected,
            subject=protection.keys.encrypt(each.subject),
            description=protection.keys.encrypt(each.description),
            grams=tuple(protection.grams(each.subject, each.description)),
        )
        with telemetry.continued(case.traceparent, "register part", case_id=str(part.id), branch=part.branch):
            await registration.file_case(tx, part, protected, tx.emit(registered), actor=person)
    return whole, [part for part, _ in parts]


async def require_whole_open(tx: Transaction, filed: Filed) -> None:
    """Raise ParentEnded where the case is a part of one that has ended; the whole stays locked.

    Raises:
        ParentEnded: it has.
    """
    if filed.case.parent_id is not None:
        whole = await cases.lock_case_by_id(tx, filed.case.parent_id)
        if whole is not None:
            splitting.require_whole_open(filed.case, whole.case)


def _owner(part: PartSent, position: int, staff: Sequence[Colleague]) -> str:
    if part.owner is None:
        return receiver_in(part.department, staff).person
    if all(each.person != part.owner for each in staff):
        raise Invalid(
            "The directory has no such active person in this branch.",
            field=f"parts.{position}.owner",
            remedy="GET /api/directory lists the branch's persons; without an owner the department's head gets it.",
        )
    return part.owner
