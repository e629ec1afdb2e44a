"""Files with a case: added by who works on cases, seen by who sees the people in it, and every look recorded."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from shouwen.contracts.casework import AttachmentAdded
from shouwen.intake.domain.attachments import MOST_PER_CASE, Offered, TooManyAttachments
from shouwen.intake.domain.case import CLERKS, Case
from shouwen.intake.domain.visibility import sees_unmasked
from shouwen.intake.gateways.files import Files
from shouwen.intake.handlers.shared import SYSTEM, NoSuchCase, actor_of, person_of
from shouwen.intake.store import attachments, cases, facts
from shouwen.intake.store.attachments import Attachment
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Forbidden, NotFound, Refused
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork

HIDDEN_NAME = "***"


class NoSuchAttachment(NotFound):
    """The case has no attachment of this id."""

    def __init__(self) -> None:
        super().__init__(field="attachment_id", remedy="GET …/attachments lists those of the case.")


class AttachmentErased(NotFound):
    """The attachment was erased with the data of the person it was about."""


class NotYoursToSee(Forbidden):
    """Attachments show people's data: they are for who is responsible for the case or directs the branch's work."""

    def __init__(self, case: Case) -> None:
        super().__init__(field="number", remedy=f"Ask {case.owner}, who is responsible for case {case.number}.")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file whose sealed content is in the file store already; ``key`` opens it."""

    id: UUID
    place: str
    key: bytes
    file: Offered

    @property
    def sha256(self) -> str:
        """The hash of the content as it came in, in hex."""
        return sha256_of(self.file.content)


def sha256_of(content: bytes) -> str:
    """The hash of a content, in hex."""
    return hashlib.sha256(content).hexdigest()


async def keep_attachment(
    work: UnitOfWork, principal: Principal, number: str, file: Offered, *, files: Files, protection: Protection
) -> bool:
    """Put a file with a case; False when the case has this content already.

    The content is in the store before the row names it, and no transaction waits for the store. After a crash between
    the two a sealed content remains to which no key exists.
    """
    async with work.as_person(principal) as tx:
        given = await place_for(tx, number, content=file.content)
    if given is None:
        return False
    attachment_id, place = given
    key = await files.put(place, file.content)
    stored = Stored(attachment_id, place, key, file)
    try:
        async with work.as_person(principal) as tx:
            is_new = await add_attachment(tx, number, stored, protection=protection)
    except Refused:
        await files.remove(place)
        raise
    if not is_new:
        await files.remove(place)
    return is_new


async def place_for(tx: Transaction, number: str, *, content: bytes) -> tuple[UUID, str] | None:
    """Where the content of a new file of this case is to be kept; None when the case has this content already.

    Raises:
        NoSuchCase, Forbidden: the caller may not add to this case.
        TooManyAttachments: the case is full.
    """
    person_of(tx).require_role(*CLERKS, SYSTEM)
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    held = await attachments.hashes_of_case(tx, filed.case.id)
    if sha256_of(content) in held:
        return None
    if len(held) >= MOST_PER_CASE:
        raise TooManyAttachments
    attachment_id = new_id(tx.now)
    return attachment_id, f"{filed.case.branch}/{attachment_id}"


async def add_attachment(tx: Transaction, number: str, stored: Stored, *, protection: Protection) -> bool:
    """Put a file with its case, inside the case's own trace; False when the case has this content already.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.lock_case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    case = filed.case
    added = Attachment(
        id=stored.id,
        case_id=case.id,
        branch=case.branch,
        name=stored.file.name,
        media_type=stored.file.media_type,
        size_bytes=len(stored.file.content),
        sha256=stored.sha256,
        place=stored.place,
        key=stored.key,
        added_at=tx.now,
        added_by=person_of(tx).person,
    )
    if not await attachments.add_attachment(tx, added, protection):
        return False
    with telemetry.continued(case.traceparent, "add attachment", case_id=str(case.id), branch=case.branch):
        fact = AttachmentAdded(
            branch=case.branch,
            case_id=case.id,
            number=case.number,
            attachment_id=added.id,
            added_at=added.added_at,
            added_by=added.added_by,
            media_type=added.media_type,
            size_bytes=added.size_bytes,
            sha256=added.sha256,
        )
        await facts.add_fact(tx, tx.emit(fact), actor=added.added_by)
    return True


async def attachment_of_content(tx: Transaction, number: str, *, sha256: str, protection: Protection) -> Attachment:
    """The file of a case that has this content.

    Raises:
        NoSuchCase, NoSuchAttachment: there is none in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    for each in await attachments.attachments_of_case(tx, filed.case.id, protection):
        if each.sha256 == sha256:
            return each
    raise NoSuchAttachment


async def list_attachments(tx: Transaction, number: str, *, protection: Protection) -> tuple[list[Attachment], bool]:
    """The files of a case, and whether their names are hidden from the caller.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    held = await attachments.attachments_of_case(tx, filed.case.id, protection)
    if not sees_unmasked(filed.case, actor_of(tx)):
        return held, True
    if held:
        await facts.add_look(tx, filed.case, person=person_of(tx).person, fields=["attachments.name"])
    return held, False


async def look_at(tx: Transaction, number: str, attachment_id: UUID, *, protection: Protection) -> Attachment:
    """A file of a case whose content the caller is about to get; the look is recorded.

    Raises:
        NoSuchCase, NoSuchAttachment, AttachmentErased: there is nothing to see.
        NotYoursToSee: the caller sees the case masked.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    found = await attachments.attachment(tx, filed.case.id, attachment_id, protection)
    if found is None:
        raise NoSuchAttachment
    if not sees_unmasked(filed.case, actor_of(tx)):
        raise NotYoursToSee(filed.case)
    if found.key is None:
        raise AttachmentErased
    await facts.add_look(tx, filed.case, person=person_of(tx).person, fields=[f"attachment.{attachment_id}"])
    return found
