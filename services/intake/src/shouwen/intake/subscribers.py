"""What intake hears."""

from functools import partial

from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientScreened
from shouwen.intake.handlers import hearing
from shouwen.intake.store.protection import Protection
from shouwen.runtime.subscriptions import Subscriptions


def subscriptions(protection: Protection) -> Subscriptions:
    """Clocks and messages go into the timelines; the list of dishonest clients decides about service requests."""
    table = Subscriptions()
    table.batch("clock.v1", partial(hearing.clocks_heard, protection=protection))
    table.batch("message.v1", hearing.note_heard)
    table.each(ClientScreened, hearing.client_screened)
    table.each(ClientBlacklisted, hearing.client_blacklisted)
    table.each(ClientDelisted, hearing.client_delisted)
    return table
