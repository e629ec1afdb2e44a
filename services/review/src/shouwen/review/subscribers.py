"""What review hears."""

from functools import partial

from shouwen.contracts.case import CaseRegistered
from shouwen.contracts.casework import CaseErased
from shouwen.review import handlers
from shouwen.review.store import Protection
from shouwen.runtime.subscriptions import Subscriptions


def subscriptions(protection: Protection) -> Subscriptions:
    """The table of events and their handlers."""
    table = Subscriptions()
    table.each(CaseRegistered, partial(handlers.screen_case, protection=protection))
    table.each(CaseErased, handlers.erase_client)
    return table
