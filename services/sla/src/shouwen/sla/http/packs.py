"""Policy packs."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from shouwen.runtime.auth import Caller
from shouwen.runtime.http import Page
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.domain.allowance import Unit
from shouwen.sla.domain.pack import Basis, Pack, Target
from shouwen.sla.domain.pack_file import read_pack
from shouwen.sla.handlers.rules import Rules


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


def add_routes(router: APIRouter, work: UnitOfWork, rules: Rules) -> None:
    """Packs: lists, and checks."""

    @router.get("/packs")
    async def list_packs(caller: Caller) -> Page[PackItem]:  # pyright: ignore[reportUnusedFunction]
        """The policy packs of this installation."""
        del caller  # any signed-in person may read the rules
        return Page(items=[_pack(pack) for pack in (await rules.current()).packs])

    @router.post("/packs/validate")
    async def validate_pack(  # pyright: ignore[reportUnusedFunction]
        caller: Caller, text: Annotated[str, Body(media_type="application/yaml", description="The pack as YAML")]
    ) -> Validation:
        """Check a pack without publishing it; every mistake is told with its line, field and remedy."""
        del caller
        return Validation(pack=_pack(read_pack(text)))


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
    has_limit = target.due_field is None
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
