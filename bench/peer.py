"""Another engine's timers, a process of its own: a worker that runs an empty task for each job that is due.

    python -m bench.peer pgqueuer|procrastinate DSN

Says `ready` when the worker runs, ends with its standard input, and prints last one JSON line: the times at which tasks
ran (seconds since 1970).
"""

import asyncio
import json
import logging
import sys
import time

import uvloop

BATCH = 1000
CONCURRENCY = 10


async def work_with_pgqueuer(dsn: str, ran: list[float]) -> None:
    """pgqueuer with batches of 1000: the best of its settings here."""
    import asyncpg
    from pgqueuer import PgQueuer
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.models import Job

    connection = await asyncpg.connect(dsn)
    engine = PgQueuer(AsyncpgDriver(connection))

    @engine.entrypoint("fire")
    async def fire(_job: Job) -> None:  # pyright: ignore[reportUnusedFunction]
        ran.append(time.time())

    await _until_told(engine.run(batch_size=BATCH))


async def work_with_procrastinate(dsn: str, ran: list[float]) -> None:
    """procrastinate with ten tasks at once."""
    import procrastinate

    engine = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

    @engine.task(name="fire", queue="fire")
    async def fire() -> None:  # pyright: ignore[reportUnusedFunction]
        ran.append(time.time())

    async with engine.open_async():
        await _until_told(engine.run_worker_async(concurrency=CONCURRENCY, fetch_job_polling_interval=0.5))


async def _until_told(work: "asyncio.Future[None] | object") -> None:
    running = asyncio.ensure_future(work)  # pyright: ignore
    print("ready", flush=True)
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    running.cancel()
    await asyncio.wait({running}, timeout=2)


def main(engine: str, dsn: str) -> None:
    """Work until standard input ends; whatever still runs then is cut off."""
    logging.disable(logging.CRITICAL)
    ran: list[float] = []
    work = {"pgqueuer": work_with_pgqueuer, "procrastinate": work_with_procrastinate}[engine]
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(dsn, ran))
    finally:
        print(f"result {json.dumps(ran)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
