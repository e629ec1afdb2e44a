"""The branches, and which packs bind them."""

from collections.abc import Iterable

from shouwen.contracts.directory import BranchDescribed
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.policies import Branch

QUERIES = queries.load("shouwen.sla", "sql/branches.sql")


async def save_branch(tx: Transaction, branch: BranchDescribed, *, from_file: bool) -> None:
    """Keep a branch as it was last described; what the stream told stands above the directory file."""
    packs = list(branch.packs)
    await tx.execute(QUERIES.save_branch, branch.branch, branch.name, branch.time_zone, packs, from_file)


async def get_branches(tx: Transaction, codes: Iterable[str]) -> dict[str, Branch]:
    """Those of these branches that are known."""
    rows = await tx.fetch(QUERIES.get_branches, list(codes))
    return {row["branch"]: Branch(row["branch"], row["time_zone"], tuple(row["packs"])) for row in rows}


async def all_branches(tx: Transaction) -> list[Branch]:
    """Every branch that may be seen."""
    rows = await tx.fetch(QUERIES.all_branches)
    return [Branch(row["branch"], row["time_zone"], tuple(row["packs"])) for row in rows]
