"""What intake hears."""

from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientScreened
from shouwen.intake import handlers
from shouwen.runtime.subscriptions import Subscriptions


def subscriptions() -> Subscriptions:
    """Clocks and messages go into the timelines; the list of dishonest clients decides about service requests."""
    table = Subscriptions()
    table.batch("clock.v1", handlers.note_heard)
    table.batch("message.v1", handlers.note_heard)
    table.each(ClientScreened, handlers.client_screened)
    table.each(ClientBlacklisted, handlers.client_blacklisted)
    table.each(ClientDelisted, handlers.client_delisted)
    return table
