"""What notify hears."""

from functools import partial

from shouwen.contracts.case import CaseAssigned, CaseRegistered
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, EscalationRaised
from shouwen.contracts.directory import BranchDescribed, PersonDescribed
from shouwen.notify import handlers
from shouwen.notify.handlers import Office
from shouwen.runtime.subscriptions import Subscriptions


def subscriptions(office: Office) -> Subscriptions:
    """The table of events and their handlers."""
    table = Subscriptions()
    tell = partial(handlers.tell, office=office)
    table.each(CaseRegistered, tell)
    table.each(CaseAssigned, tell)
    table.each(ClockAtRisk, tell)
    table.each(ClockBreached, tell)
    table.each(EscalationRaised, tell)
    table.each(BranchDescribed, handlers.describe_branch)
    table.each(PersonDescribed, partial(handlers.describe_person, office=office))
    return table
