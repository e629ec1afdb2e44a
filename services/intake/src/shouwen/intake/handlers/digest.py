"""Weekly digests of suggestions: made by themselves on Mondays, or by who directs the branch's work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.intake.domain import digest as rules
from shouwen.intake.domain.case import DIRECTORS, Case
from shouwen.intake.domain.digest import Digest
from shouwen.intake.handlers.shared import person_of, tell
from shouwen.intake.store import cases, directory, suggestion
from shouwen.intake.store import digest as store
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import NotFound
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction

MOST = 500
"""As many suggestions go into the digests of one transaction."""


class NoSuchDigest(NotFound):
    """There is no such digest, or it is not of your branch."""

    def __init__(self) -> None:
        super().__init__(field="id", remedy="GET /api/suggestions/digests lists the digests you may see.")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggestion as a digest shows it: its case, its subject, and the category it was sorted into."""

    case: Case
    subject: str
    category: str | None


async def make_due_digests(tx: Transaction, limit: int) -> int:
    """Make the digests of the week that has ended; the answer is how many suggestions went into them."""
    found = 0
    for branch in await directory.branches(tx):
        before = rules.latest_monday(tx.now, branch.entry.time_zone)
        made = await _make(tx, branch.entry.branch, before=before, limit=limit - found, person=None)
        found += sum(each.suggestions for each in made)
        if found >= limit:
            break
    return found


async def make_digests(tx: Transaction, branch: str) -> Sequence[Digest]:
    """Make the digests of a branch now, of everything that came in until now.

    Raises:
        Forbidden: the caller does not direct the work of this branch.
    """
    principal = person_of(tx)
    principal.require_role(*DIRECTORS)
    principal.require_branch(branch)
    return await _make(tx, branch, before=tx.now, limit=MOST, person=principal.person)


async def _make(tx: Transaction, branch: str, *, before: datetime, limit: int, person: str | None) -> list[Digest]:
    ids = await store.undigested(tx, branch=branch, before=before, limit=limit)
    filed = [each for case_id in ids if (each := await cases.lock_case_by_id(tx, case_id)) is not None]
    made: list[Digest] = []
    for department, suggestions in rules.by_department(each.case for each in filed).items():
        digest = Digest(new_id(tx.now), branch, department, tx.now, person)
        await store.add_digest(tx, digest, [case.id for case in suggestions])
        for case in suggestions:
            await tell(tx, case, "digest suggestion", rules.digested(case, department=department, now=tx.now))
        kept = await store.digest(tx, digest.id)
        assert kept is not None, "it was kept just now"
        made.append(kept)
    return made


async def show_digest(
    tx: Transaction,
    digest_id: UUID,
    *,
    category: str | None,
    after: UUID | None,
    limit: int,
    protection: Protection,
) -> tuple[Digest, list[Suggestion]]:
    """A digest, and a page of its suggestions, of one category if it is given.

    Raises:
        NoSuchDigest: there is none.
    """
    digest = await store.digest(tx, digest_id)
    if digest is None:
        raise NoSuchDigest
    ids = await store.digested_ids(tx, digest_id, category=category, after=after, limit=limit)
    filed = [each for case_id in ids if (each := await cases.case_by_id(tx, case_id)) is not None]
    sorted_into = await suggestion.categories(tx, ids)
    return digest, [_suggestion(each, protection, sorted_into) for each in filed]


def _suggestion(filed: Filed, protection: Protection, sorted_into: Mapping[UUID, str]) -> Suggestion:
    return Suggestion(filed.case, filed.protected.open(protection).subject, sorted_into.get(filed.case.id))
