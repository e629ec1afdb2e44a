"""Policy packs."""

import base64
import binascii
from collections import Counter
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from shouwen.runtime.auth import Caller, Principal
from shouwen.runtime.errors import Invalid, NotFound
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.domain.allowance import Unit
from shouwen.sla.domain.composition import PackVersion
from shouwen.sla.domain.event_type import event_types_for_packs
from shouwen.sla.domain.instant import moment
from shouwen.sla.domain.pack import Basis, Pack, Running, Target
from shouwen.sla.domain.pack_file import read_pack
from shouwen.sla.domain.pack_schema import pack_schema
from shouwen.sla.domain.policies import Policies
from shouwen.sla.handlers import packs
from shouwen.sla.handlers.packs import Affected, Effect
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.http.body import DocumentText, document


class TargetItem(BaseModel):
    """One promise of a pack."""

    policy: str
    target: str
    title: str | None
    limit: int | None = Field(description="null: the start event holds the deadline")
    unit: Unit | None
    clause: str
    basis: Basis
    statutory: bool
    pausable: list[str]


class PackItem(BaseModel):
    """One version of a policy pack."""

    pack: str
    version: int
    effective_from: date
    title: str
    source: str | None
    targets: list[TargetItem]


class Validation(BaseModel):
    """A pack that could be published as it is."""

    valid: Literal[True] = True
    pack: PackItem


class PublishedItem(BaseModel):
    """A version that was published."""

    pack: PackItem
    branch: str | None = Field(description="Whose own pack it is; null: a pack of the group")
    published_at: datetime
    recalculations: list[int] = Field(description="Running clocks move to it under these numbers, if it says so")


class VersionItem(PackItem):
    """One version of a pack, and how it came here."""

    branch: str | None = Field(description="Whose own pack it is; null: a pack of the group")
    running: Running = Field(description="What becomes of clocks that run when it takes effect")
    published_at: datetime | None = Field(description="null: it ships with the service")


class AffectedItem(BaseModel):
    """An open clock that a change would touch."""

    effect: Effect = Field(description="breaches: it would be overdue now; moves; ends; begins: there is none yet")
    branch: str
    subject: str
    policy: str
    target: str
    cycle: int
    clock: UUID | None
    due_at: datetime | None
    new_due_at: datetime | None


class DryRunItem(BaseModel):
    """What a version would do to open clocks, had it governed them from their start; one page of them."""

    pack: PackItem
    running: Running = Field(
        description="keep: clocks that run now would stay as they are; what is shown holds for move"
    )
    looked_at: int = Field(description="Open clocks this page looked at")
    breaches: int = Field(description="Of these, how many would be overdue now")
    moves: int
    ends: int
    begins: int
    items: list[AffectedItem]
    next: str | None = Field(description="Goes into 'after' to look at the following clocks; null: that was all")


BranchQuery = Annotated[
    str | None, Query(pattern=r"^[a-z][a-z0-9-]{1,39}$", description="Whose own pack it is; without it the group's")
]
_PACK = document("The pack (docs/packs.md)")


def add_routes(router: APIRouter, work: UnitOfWork, rules: Rules) -> None:
    """Packs: listed, checked, tried, published."""

    @router.get("/packs")
    async def list_packs(caller: Caller, limit: Limit, after: After) -> Page[PackItem]:  # pyright: ignore[reportUnusedFunction]
        """The policy packs of this installation, every version: the group's, and your branches' own."""
        place = _place(after) if after else ("", 0)
        seen = [each.pack for each in _visible(await rules.current(), caller)]
        found = [pack for pack in seen if (pack.name, pack.version) > place]
        items = [_pack(pack) for pack in found[:limit]]
        return Page(items=items, next=f"{items[-1].pack} {items[-1].version}" if len(found) > limit else None)

    @router.get("/packs/schema")
    async def get_schema() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """The JSON Schema of a pack, for editors; it holds nothing of this installation, so anybody may read it."""
        return pack_schema()

    @router.get("/packs/{name}/versions")
    async def list_versions(name: str, caller: Caller, limit: Limit, after: After) -> Page[VersionItem]:  # pyright: ignore[reportUnusedFunction]
        """The versions of one pack, the first one first."""
        versions = [each for each in _visible(await rules.current(), caller) if each.pack.name == name]
        if not versions:
            raise NotFound(f"There is no pack {name} that you may see.", remedy="See GET /api/packs.")
        found = [each for each in versions if each.pack.version > _version(after)]
        items = [_versioned(each) for each in found[:limit]]
        return Page(items=items, next=str(items[-1].version) if len(found) > limit else None)

    @router.post("/packs/validate", openapi_extra=_PACK)
    async def validate_pack(caller: Caller, text: DocumentText) -> Validation:  # pyright: ignore[reportUnusedFunction]
        """Check a pack without publishing it; every mistake is told with its line, field and remedy."""
        del caller
        known = event_types_for_packs((await rules.current()).event_types)
        return Validation(pack=_pack(read_pack(text, event_types=known)))

    @router.post("/packs/dry-run", openapi_extra=_PACK)
    async def dry_run(  # pyright: ignore[reportUnusedFunction]
        caller: Caller, text: DocumentText, limit: Limit, after: After, branch: BranchQuery = None
    ) -> DryRunItem:
        """What a pack would do to the clocks that are open, without publishing it.

        A page looks at up to 1,000 subjects and shows up to 'limit' clocks that would change (a subject's all at once).
        """
        policies = await rules.current()
        key = ("", "") if after is None else _subject(after)
        async with work.as_person(caller) as tx:
            found = await packs.dry_run(tx, text, policies, branch=branch, caller=caller, after=key, limit=limit)
        count = Counter(each.effect for each in found.affected)
        return DryRunItem(
            pack=_pack(found.pack),
            running=found.pack.running,
            looked_at=found.looked_at,
            breaches=count["breaches"],
            moves=count["moves"],
            ends=count["ends"],
            begins=count["begins"],
            items=[_affected(each) for each in found.affected],
            next=None if found.last is None else _after_subject(found.last),
        )

    @router.post("/packs", status_code=201, openapi_extra=_PACK)
    async def publish_pack(caller: Caller, text: DocumentText, branch: BranchQuery = None) -> PublishedItem:  # pyright: ignore[reportUnusedFunction]
        """Publish a version of a pack. Every replica goes by it from its effect on, with no restart.

        Clocks that run keep the version they started under, unless the pack says 'running: move'. A pack that promises
        less than what it refines is refused, with the clause and a case that shows it.
        """
        async with work.as_person(caller) as tx:
            published = await packs.publish(tx, text, rules, branch=branch, caller=caller)
        return PublishedItem(
            pack=_pack(published.pack),
            branch=published.branch,
            published_at=published.published_at,
            recalculations=list(published.recalculations),
        )


def _visible(policies: Policies, caller: Principal) -> list[PackVersion]:
    may_see = (
        each for each in policies.versions if each.branch is None or caller.sees_all or each.branch in caller.branches
    )
    return sorted(may_see, key=lambda each: (each.pack.name, each.pack.version))


def _versioned(version: PackVersion) -> VersionItem:
    published_at = None if version.published_at is None else moment(version.published_at)
    return VersionItem(
        **_pack(version.pack).model_dump(),
        branch=version.branch,
        running=version.pack.running,
        published_at=published_at,
    )


def _affected(affected: Affected) -> AffectedItem:
    return AffectedItem(
        effect=affected.effect,
        branch=affected.branch,
        subject=affected.subject,
        policy=affected.policy,
        target=affected.target,
        cycle=affected.cycle,
        clock=affected.clock_id,
        due_at=affected.due_at,
        new_due_at=affected.new_due_at,
    )


def _place(after: str) -> tuple[str, int]:
    name, _, version = after.partition(" ")
    return name, _version(version)


def _version(after: str | None) -> int:
    if after is None:
        return 0
    if not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise _NOT_A_KEY
    return int(after)


def _after_subject(key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode("\n".join(key).encode()).decode()


def _subject(after: str) -> tuple[str, str]:
    try:
        branch, newline, subject = base64.urlsafe_b64decode(after).decode().partition("\n")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _NOT_A_KEY from None
    if not newline or "\x00" in branch + subject:
        raise _NOT_A_KEY
    return branch, subject


_NOT_A_KEY = Invalid("is not the key of a page.", field="after", remedy="Send the 'next' of the page before.")


def _pack(pack: Pack) -> PackItem:
    return PackItem(
        pack=pack.name,
        version=pack.version,
        effective_from=pack.effective_from,
        title=pack.title,
        source=pack.source,
        targets=[_target(target) for target in pack.targets],
    )


def _target(target: Target) -> TargetItem:
    has_limit = not target.is_agreed
    return TargetItem(
        policy=target.policy,
        target=target.name,
        title=target.title,
        limit=target.limit if has_limit else None,
        unit=target.unit if has_limit else None,
        clause=target.clause,
        basis=target.basis,
        statutory=target.statutory,
        pausable=sorted(target.pausable),
    )
