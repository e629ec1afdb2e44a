"""What sla hears."""

from collections.abc import Sequence

from shouwen.contracts.client import ClientReferred, ForgeryConfirmed
from shouwen.contracts.directory import BranchDescribed, DelegationDescribed
from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.subscriptions import Subscriptions
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.handlers import delegation, directory, event_types, hearing
from shouwen.sla.handlers.rules import Rules


def subscriptions(rules: Rules) -> Subscriptions:
    """The directory and clients, one at a time; cases and other systems' facts, in whole batches."""

    async def describe_branch(event: CloudEvent[BranchDescribed], tx: Transaction) -> None:
        await directory.describe_branch(event, tx, await rules.held(tx))

    async def hear(events: Sequence[CloudEvent[Event]], tx: Transaction) -> None:
        await hearing.hear(events, tx, await rules.held(tx))

    async def hear_group(events: Sequence[CloudEvent[Event]], tx: Transaction) -> None:
        policies = await rules.held(tx)
        await hearing.hear(event_types.readable(events, policies.event_types), tx, policies)

    async def hear_one(event: CloudEvent[Event], tx: Transaction) -> None:
        await hearing.hear([event], tx, await rules.held(tx))

    heard = Subscriptions()
    heard.each(BranchDescribed, describe_branch)
    heard.each(DelegationDescribed, delegation.describe_delegation)
    heard.batch("case.v1", hear)
    heard.batch("group.v1", hear_group, accepts_unknown=True)
    # Of what review tells of clients, only these time anything; the rest is not kept a second time.
    heard.each(ForgeryConfirmed, hear_one)
    heard.each(ClientReferred, hear_one)
    return heard
