"""Which packs bind which branch."""

from collections.abc import Iterable

from shouwen.contracts.directory import BranchDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.policies import Branch, Policies
from shouwen.sla.store import branches, recalculations


async def describe_branch(event: CloudEvent[BranchDescribed], tx: Transaction, policies: Policies) -> None:
    """Learn which packs bind a branch.

    Raises:
        UnknownPack: it composes one that is not here.
    """
    await _learn(event.data, tx, policies, from_file=False)


async def learn_directory_file(branches: Iterable[BranchDescribed], tx: Transaction, policies: Policies) -> None:
    """Learn the branches of the directory file, as far as the directory stream has not told of them.

    Raises:
        UnknownPack: one of them composes a pack that is not here.
    """
    for branch in branches:
        await _learn(branch, tx, policies, from_file=True)


async def _learn(branch: BranchDescribed, tx: Transaction, policies: Policies, *, from_file: bool) -> None:
    policies.check(Branch(branch.branch, branch.time_zone, branch.packs))
    before = await branches.get_branches(tx, [branch.branch])
    await branches.save_branch(tx, branch, from_file=from_file)
    if before and before != await branches.get_branches(tx, [branch.branch]):
        # Other packs or another zone: what runs under the old ones is ended or moved.
        await recalculations.add_recalculation(tx, "directory", branch.branch)
