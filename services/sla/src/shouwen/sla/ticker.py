"""Time in: fires what is due, and sleeps until the next is."""

import asyncio
from datetime import timedelta

import structlog

from shouwen.runtime import metrics, telemetry
from shouwen.runtime.errors import Transient
from shouwen.runtime.failpoint import failpoint
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.handlers import hearing
from shouwen.sla.handlers.recalculation import recalculate
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.store import timers
from shouwen.sla.store.timers import Fired

_log = structlog.stdlib.get_logger("shouwen.sla.ticker")
_HELD_SECONDS = 0.02
"""Pause while all that is due is held by other transactions: another ticker's, or a handler's that stops the clocks."""

_WOKEN_AT_ONCE = 500


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
        """Fire for as long as the service runs; while the database is away, try again at each interval."""
        while True:
            try:
                wait = await self._fire_all_due()
            except Transient as error:
                _log.warning("firing waits for the database", exc_info=error)
                wait = self._interval
            # The database's clock says how long; this process's clock only counts the sleep.
            await asyncio.sleep(self._interval if wait is None else min(wait, self._interval))

    async def _fire_all_due(self) -> float | None:
        """Fire until nothing is left that is due; the answer is how long until the next is, in seconds."""
        while True:
            fired = await self.fire()
            if fired == self._batch:
                continue
            async with self._work.as_worker() as tx:
                wait = await timers.next_firing(tx)
            if wait is None or wait > 0:
                return wait
            if fired == 0:
                return _HELD_SECONDS

    async def fire(self) -> int:
        """Fire one batch; the answer is how many steps fired."""
        async with self._work.as_worker() as tx:
            fired = await timers.fire_due(tx, self._batch, self._work.source)
            failpoint("ticker.before_commit")
        failpoint("ticker.after_commit")
        if fired:
            self._work.wake_relay()
        for each in fired:
            _observe(each)
        return len(fired)


class Waker:
    """Looks at clocks that change by the passing of time: a pause ends by itself, a month begins. Any number may run.

    Args:
        work: opens the transactions.
        rules: the rules in force.
        interval: how often it looks.
    """

    def __init__(self, work: UnitOfWork, rules: Rules, *, interval: timedelta) -> None:
        self._work = work
        self._rules = rules
        self._interval = interval.total_seconds()

    async def run(self) -> None:
        """Look for as long as the service runs; while the database is away, try again at each interval."""
        while True:
            try:
                while await self.step() == _WOKEN_AT_ONCE:
                    pass
            except Transient as error:
                _log.warning("waking waits for the database", exc_info=error)
            await asyncio.sleep(self._interval)

    async def step(self) -> int:
        """Look at one batch; the answer is how many subjects it had."""
        async with self._work.as_worker() as tx:
            woken = await hearing.wake(tx, await self._rules.held(tx), _WOKEN_AT_ONCE)
            failpoint("waker.before_commit")
        if woken:
            self._work.wake_relay()
        return woken


class Recalculator:
    """Computes open clocks anew after the rules have changed, when the change takes effect. Any number may run.

    Args:
        work: opens the transactions.
        rules: the rules in force.
        interval: how often it looks for a change that another process made, or that takes effect now.
    """

    def __init__(self, work: UnitOfWork, rules: Rules, *, interval: timedelta) -> None:
        self._work = work
        self._rules = rules
        self._interval = interval.total_seconds()

    async def run(self) -> None:
        """Look and compute for as long as the service runs; while the database is away, try again at each interval."""
        while True:
            try:
                while await self.step():
                    pass
            except Transient as error:
                _log.warning("recalculation waits for the database", exc_info=error)
            await asyncio.sleep(self._interval)

    async def step(self) -> bool:
        """Compute one batch; False when nothing was left to do."""
        async with self._work.as_worker() as tx:
            done = await recalculate(tx, self._rules)
            failpoint("recalculator.before_commit")
        return done


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
