"""One replica's timers, a process of its own as a service is: the ticker of sla and its relay, and nothing beside them.

    python -m bench.firing

Takes the service's environment. Says `ready` when both run, and ends with its standard input. Its last line
(`result`, JSON) tells for every batch when its transaction had been committed, in seconds since 1970,
and how many fired.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta

import uvloop

from shouwen.runtime import metrics, telemetry
from shouwen.runtime.relay import Relay
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.settings import SlaSettings
from shouwen.sla.ticker import Ticker


class NotedTicker(Ticker):
    """The service's ticker; notes what it fired and when that was committed."""

    def __init__(self, work: UnitOfWork, *, interval: timedelta, batch: int) -> None:
        super().__init__(work, interval=interval, batch=batch)
        self.noted: list[tuple[float, int]] = []

    async def fire(self) -> int:
        """Fire one batch."""
        fired = await super().fire()
        if fired:
            self.noted.append((time.time(), fired))
        return fired


def work_of(settings: SlaSettings) -> UnitOfWork:
    """The service's way to its database."""
    return UnitOfWork(
        app_url=settings.database_url.get_secret_value(),
        worker_url=settings.worker_database_url.get_secret_value(),
        source="/shouwen/sla",
        pool_size=settings.database_pool_size,
    )


async def fire() -> None:
    """Fire and send until standard input ends."""
    settings = SlaSettings()  # pyright: ignore[reportCallIssue]
    telemetry.setup("sla")
    metrics.setup("sla")
    work = work_of(settings)
    await work.open()
    relay = Relay("sla", settings, work)
    await relay.start()
    ticker = NotedTicker(work, interval=settings.ticker_interval, batch=settings.ticker_batch)
    running = asyncio.create_task(ticker.run())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await relay.stop()
    await work.close()
    print(f"result {json.dumps(ticker.noted)}", flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(fire())
