"""What review hears, and which handler takes it."""

from functools import partial

from shouwen.contracts.case import CaseRegistered
from shouwen.review import handlers
from shouwen.review.store import Protection
from shouwen.runtime.subscriptions import Subscriptions


def subscriptions(protection: Protection) -> Subscriptions:
    """The table of what is heard."""
    hears = Subscriptions()
    hears.each(CaseRegistered, partial(handlers.screen_case, protection=protection))
    return hears
