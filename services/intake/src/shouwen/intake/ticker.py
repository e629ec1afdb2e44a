"""Time in: offers that nobody answered in time are settled, waits end, and the week's suggestions are digested."""

import asyncio
from datetime import timedelta

import structlog

from shouwen.intake.handlers import custody, digest, waiting
from shouwen.runtime.errors import Transient
from shouwen.runtime.unit_of_work import UnitOfWork

_log = structlog.stdlib.get_logger("shouwen.intake.ticker")
_BATCH = 100


class Ticker:
    """Settles what time has decided. Any number may run: each case is locked before it is looked at.

    Args:
        work: opens the transactions.
        interval: how often it looks.
    """

    def __init__(self, work: UnitOfWork, *, interval: timedelta) -> None:
        self._work = work
        self._interval = interval.total_seconds()

    async def run(self) -> None:
        """Look for as long as the service runs; while the database is away, try again at each interval."""
        while True:
            try:
                await self.settle()
            except Transient as error:
                _log.warning("settling waits for the database", exc_info=error)
            await asyncio.sleep(self._interval)

    async def settle(self) -> None:
        """Settle everything whose time is over."""
        for settle in (custody.lapse_offers, waiting.end_waits, digest.make_due_digests):
            found = _BATCH
            while found == _BATCH:
                async with self._work.as_worker() as tx:
                    found = await settle(tx, _BATCH)
