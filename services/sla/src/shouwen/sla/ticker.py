"""Time in: fires what is due, and sleeps until the next is."""

import asyncio
from datetime import timedelta

from shouwen.runtime import metrics, telemetry
from shouwen.runtime.failpoint import failpoint
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla import handlers, store
from shouwen.sla.store import Fired


class Ticker:
    """Fires due clocks in batches. Any number may run: they pass over each other's clocks.

    Args:
        work: opens the transactions.
        interval: the longest sleep, so that a clock armed meanwhile by another process is noticed.
        batch: firings in one transaction, at most.
    """

    def __init__(self, work: UnitOfWork, *, interval: timedelta, batch: int) -> None:
        self._work = work
        self._interval = interval.total_seconds()
        self._batch = batch

    async def run(self) -> None:
        """Fire for as long as the service runs."""
        while True:
            async with self._work.as_worker() as tx:
                wait = await store.next_firing(tx)
            if wait is not None and wait <= 0:
                while await self.fire() == self._batch:
                    pass
            else:
                # The database's clock says how long; this process's clock only counts the sleep.
                await asyncio.sleep(self._interval if wait is None else min(wait, self._interval))

    async def fire(self) -> int:
        """Fire one batch; the answer is how many steps fired."""
        async with self._work.as_worker() as tx:
            fired = await handlers.fire_due(tx, self._batch, self._work.source)
            failpoint("ticker.before_commit")
        failpoint("ticker.after_commit")
        if fired:
            self._work.wake_relay()
        for each in fired:
            _observe(each)
        return len(fired)


def _observe(fired: Fired) -> None:
    metrics.timer_lateness.record(fired.late_seconds, {"cloudevents.event_type": fired.event_type})
    case_id = fired.subject.removeprefix("case/") if fired.subject.startswith("case/") else None
    telemetry.record_span(
        fired.span,
        parent=fired.traceparent,
        name="fire clock",
        start=fired.fired_at,
        end=fired.fired_at,
        attributes={
            "cloudevents.event_type": fired.event_type,
            "branch": fired.branch,
            "case_id": case_id,
            "clock_target": fired.target,
            "late_seconds": fired.late_seconds,
        },
        links=[fired.traceparent],
    )
