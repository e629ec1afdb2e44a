"""What sla hears."""

from collections.abc import Sequence

from shouwen.contracts.directory import BranchDescribed
from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.subscriptions import Subscriptions
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.policies import Policies
from shouwen.sla.handlers import directory, hearing


def subscriptions(policies: Policies) -> Subscriptions:
    """The directory, one branch at a time; cases and other systems' facts, in whole batches."""

    async def describe_branch(event: CloudEvent[BranchDescribed], tx: Transaction) -> None:
        await directory.describe_branch(event, tx, policies)

    async def hear(events: Sequence[CloudEvent[Event]], tx: Transaction) -> None:
        await hearing.hear(events, tx, policies)

    heard = Subscriptions()
    heard.each(BranchDescribed, describe_branch)
    heard.batch("case.v1", hear)
    heard.batch("group.v1", hear)
    return heard
