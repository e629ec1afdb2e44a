"""The directory: who works where."""

from shouwen.contracts.directory import BranchDescribed, DirectoryFile, PersonDescribed
from shouwen.intake.domain.directory import Branch, Changes, Person, changes
from shouwen.intake.store import directory
from shouwen.intake.store.protection import Protection
from shouwen.runtime.unit_of_work import Transaction


async def load_directory(tx: Transaction, file: DirectoryFile, *, protection: Protection) -> Changes:
    """Bring the directory to what the file says, and tell what changed. Who is not in the file is no longer active."""
    await directory.lock_directory(tx)
    changed = changes(
        stored_branches=await directory.branches(tx),
        stored_persons=await directory.persons(tx, protection),
        branches=file.branches,
        persons=file.persons,
    )
    for branch in changed.branches:
        await directory.save_branch(tx, branch)
        tx.emit(
            BranchDescribed(
                branch=branch.branch,
                name=branch.name,
                number_prefix=branch.number_prefix,
                time_zone=branch.time_zone,
                packs=branch.packs,
            )
        )
    for person in changed.persons:
        await directory.save_person(tx, person, protection)
        tx.emit(
            PersonDescribed(
                branch=person.branch,
                person=person.person,
                department=person.department,
                roles=person.roles,
                active=person.active,
                contact=_contact(person, protection),
            )
        )
    return changed


async def show_directory(tx: Transaction, *, protection: Protection) -> tuple[list[Branch], list[Person]]:
    """The caller's branches, and who works there."""
    return await directory.branches(tx), await directory.persons(tx, protection)


def _contact(person: Person, protection: Protection) -> str:
    claims = {"name": person.name} | ({"email": person.email} if person.email else {})
    return protection.seal.seal(claims)
