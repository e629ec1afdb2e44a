"""A service, put together: what it hears, serves and runs, started in order and stopped in the reverse.

A service's ``app.py`` says what it consists of; everything else is the same for each and lives here::

    def create(settings: SlaSettings) -> Service:
        service = Service("sla", settings)
        service.hears(subscriptions(...))
        service.serves(routes(...))
        service.runs("ticker", Ticker(...).run)
        return service

The HTTP side answers from the first moment: while the database or Kafka is down, ``/health/ready`` says 503 and names
the reason, and the start goes on trying.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import structlog
import uvicorn
from fastapi import APIRouter

from shouwen.contracts.catalogue import ServiceName
from shouwen.runtime import dead_letter, http, inbox, logs, metrics, migrate, operations, telemetry
from shouwen.runtime.auth import Authenticator, FileKeys, UrlKeys
from shouwen.runtime.consumer import Consumer
from shouwen.runtime.dead_letter import Record
from shouwen.runtime.errors import FieldProblem, Refused, ShouwenError, Transient
from shouwen.runtime.privacy import Seal, read_key
from shouwen.runtime.relay import Relay
from shouwen.runtime.settings import BadSettings, ServiceSettings
from shouwen.runtime.subscriptions import Subscriptions
from shouwen.runtime.supervision import Position, Standstill, Supervised, pause_after
from shouwen.runtime.unit_of_work import DatabaseUnavailable, Transaction, UnitOfWork, may_pass

S = TypeVar("S", bound=ServiceSettings)

VERSION = "0.1.0"
OBSERVE_EVERY_SECONDS = 5.0
_PROBE_TIMEOUT_SECONDS = 2.0
_COLLECT_AFTER_OBJECTS = 10_000
"""A batch makes so many objects that Python's default (700) would look for cycles several times in each."""
_EXIT_FAILED = 1
_EXIT_SETTINGS = 2

_log = structlog.stdlib.get_logger("shouwen.service")


class Service:
    """One service: its parts, and their life.

    Args:
        name: as in the catalogue.
        settings: read once, by the process's entry.
        migrations: the package that holds ``sql/migrations/*.sql``; without it ``shouwen.NAME``.
    """

    def __init__(self, name: ServiceName, settings: ServiceSettings, *, migrations: str | None = None) -> None:
        self.name: ServiceName = name
        self.settings = settings
        self.keys = settings.keys
        self.hash_key = settings.hash_key
        self.seal = Seal(read_key(settings.seal_key.get_secret_value()))
        self.work = UnitOfWork(
            app_url=settings.database_url.get_secret_value(),
            worker_url=settings.worker_database_url.get_secret_value(),
            source=f"/shouwen/{name}",
            pool_size=settings.database_pool_size,
            command_timeout=settings.database_command_timeout,
        )
        self.subscriptions = Subscriptions()
        self.consumer: Consumer | None = None
        self.relay: Relay | None = None
        self.app = http.new_app(f"Shouwen {name}", version=VERSION)
        self.app.state.authenticator = Authenticator(
            UrlKeys(settings.oidc_jwks_url)
            if settings.oidc_jwks_url is not None
            else FileKeys(_given(settings.oidc_jwks_file)),
            issuer=settings.oidc_issuer,
            audience=settings.oidc_audience,
            leeway_seconds=int(settings.oidc_leeway.total_seconds()),
        )
        self.app.include_router(operations.routes(self))
        self.app.include_router(dead_letter.router(self.work, self._handle_again))
        self._migrations = migrations or f"shouwen.{name}"
        self._steps: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[Supervised] = []
        self._phase = "not started"
        self._standstill = Standstill(settings.standstill.total_seconds())
        self._stuck: list[Position] = []
        self._probed: tuple[float, str | None] = (float("-inf"), None)
        self._probing = asyncio.Lock()

    # --- what it consists of ----------------------------------------------------------------------------------------

    def hears(self, subscriptions: Subscriptions) -> None:
        """Take the events of this table; once."""
        self.subscriptions = subscriptions
        if subscriptions.streams:
            self.consumer = Consumer(self.name, self.settings, subscriptions, self.work)

    def serves(self, router: APIRouter) -> None:
        """Add REST routes."""
        self.app.include_router(router)

    def runs(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        """Run a long task beside everything else: started again when it fails, cancelled at the stop."""
        self._tasks.append(Supervised(name, task))

    def prepares(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do this once at the start, after the migrations; repeated while the database is down."""
        self._steps.append(step)

    # --- its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything but the HTTP server; returns when all of it runs. Waits while servers are down.

        Raises:
            MigrationRefused: the database and this release do not fit together.
            Exception: what a preparing step raises, unless waiting may help.
        """
        telemetry.setup(self.name)
        metrics.setup(self.name)
        deadline = self._deadline()
        url = self.settings.migration_database_url
        if url is not None:
            await self._until_it_works("migrating", lambda: self._migrate(url.get_secret_value()), deadline)
        await self._until_it_works("opening the database", self.work.open, deadline)
        for step in self._steps:
            await self._until_it_works("preparing", step, deadline)
        self.relay = relay = Relay(self.name, self.settings, self.work)
        await self._until_it_works("starting the relay", relay.start, deadline)
        self._tasks.append(Supervised("observe", self._observe))
        self._tasks.append(Supervised("inbox", lambda: inbox.maintain_for_ever(self.work)))
        # Before Kafka: after a crash the group waits for the dead member's session to end, and what is due does not.
        for task in self._tasks:
            task.start()
        if self.consumer is not None:
            await self._until_it_works("joining Kafka", self.consumer.start, deadline)
        self._phase = "running"
        _log.info("started", hears=list(self.subscriptions.streams))

    async def stop(self) -> None:
        """Stop in the reverse order, within ``stop_timeout``; what is still running then is cut off, which is safe."""
        self._phase = "stopping"
        budget = max(self.settings.stop_timeout.total_seconds(), 1.0)
        ends = time.monotonic() + budget

        def left(share: float) -> float:
            return max(min(budget * share, ends - time.monotonic()), 0.1)

        await asyncio.gather(*(task.stop(left(0.4)) for task in self._tasks))
        if self.consumer is not None:
            await self._bounded("consumer", self.consumer.stop(), left(0.5))
        if self.relay is not None:
            await self._bounded("relay", self.relay.stop(), left(0.3))
        await self._bounded("database", self.work.close(), left(0.3))
        await self._bounded("telemetry", asyncio.to_thread(_flush, left(0.2)), left(0.3))
        self._phase = "stopped"
        _log.info("stopped")

    def run(self) -> None:
        """Be this service's process: serve until SIGTERM or SIGINT, then stop gracefully. Ends the process."""
        logs.setup(self.name, self.settings.log_level)
        gc.set_threshold(_COLLECT_AFTER_OBJECTS)
        try:
            # Here too, so that a wrong exporter is said before anything runs.
            telemetry.setup(self.name)
            metrics.setup(self.name)
            factory = _loop_factory()
            with asyncio.Runner(loop_factory=factory) as runner:
                code = runner.run(self._serve())
        except BadSettings as error:
            code = _complain(error)
        except KeyboardInterrupt:
            code = _EXIT_FAILED
        sys.exit(code)

    async def _serve(self) -> int:
        listening = _listen(self.settings.http_host, self.settings.http_port)
        server = _Server(
            uvicorn.Config(
                self.app,
                log_config=None,
                access_log=False,
                lifespan="off",
                forwarded_allow_ips=self.settings.trusted_proxies,
                server_header=False,
                date_header=True,
                timeout_graceful_shutdown=max(int(self.settings.stop_timeout.total_seconds() / 3), 1),
            )
        )
        stopping = self._on_signals(server)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
        host, port = listening.getsockname()[:2]
        _log.info("listening", host=host, port=port)
        starting = asyncio.create_task(self.start(), name="start")
        waiting = asyncio.create_task(stopping.wait(), name="stop")
        code = 0
        await asyncio.wait({starting, serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and not starting.cancelled() and (error := starting.exception()) is not None:
            _log.error("the service cannot start", reason=str(error), exc_info=error)
            code = _EXIT_FAILED
        elif starting.done():
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        waiting.cancel()
        starting.cancel()
        await asyncio.gather(starting, waiting, serving, return_exceptions=True)
        await self.stop()
        return code

    def _on_signals(self, server: "_Server") -> asyncio.Event:
        stopping = asyncio.Event()

        def on_signal(number: int) -> None:
            if stopping.is_set():
                # Somebody is in a hurry. Nothing is lost: what was not committed is handled again.
                os._exit(128 + number)
            _log.info("stopping", signal=signal.Signals(number).name)
            self._phase = "stopping"
            stopping.set()
            server.should_exit = True

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)
        return stopping

    async def _migrate(self, url: str) -> None:
        try:
            applied = await migrate.migrate(url, self.name, [self._migrations])
        except OSError as error:
            # A name that does not resolve yet and an unreachable host are as passing here as a refused connection.
            raise DatabaseUnavailable(f"The database does not answer ({type(error).__name__}).") from error
        if applied:
            _log.info("migrated", applied=applied)

    async def _until_it_works(self, phase: str, step: Callable[[], Awaitable[None]], deadline: float) -> None:
        """Repeat a step of the start while servers are down."""
        self._phase = phase
        failures = 0
        while True:
            try:
                await step()
            except Exception as error:
                if not may_pass(error) or time.monotonic() >= deadline:
                    raise
                failures += 1
                self._phase = f"{phase} ({type(error).__qualname__}, attempt {failures})"
                pause = pause_after(failures)
                log = _log.warning if failures == 1 or failures % 10 == 0 else _log.debug
                log("waiting for a server", phase=phase, attempt=failures, exc_info=error)
                await asyncio.sleep(pause)
            else:
                return

    def _deadline(self) -> float:
        patience = self.settings.startup_patience.total_seconds()
        return time.monotonic() + patience if patience > 0 else float("inf")

    async def _bounded(self, part: str, stop: Awaitable[None], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stop
        except TimeoutError:
            _log.warning("a part did not stop in time", part=part, seconds=round(seconds, 1))
        except Exception as error:
            _log.warning("a part failed while stopping", part=part, exc_info=error)

    # --- its health -------------------------------------------------------------------------------------------------

    async def unready(self) -> list[FieldProblem]:
        """Why it cannot work at present, part by part; empty when it can."""
        if self._phase != "running":
            return [FieldProblem("service", f"is {self._phase}", "Wait; the log says what it waits for.")]
        problems: list[FieldProblem] = []
        if (why := await self._database_problem()) is not None:
            problems.append(FieldProblem("database", why, "Check the PostgreSQL server."))
        if self.consumer is not None and (why := self.consumer.problem) is not None:
            problems.append(FieldProblem("consumer", why, "Check the Kafka brokers."))
        if self.relay is not None and (why := self.relay.problem) is not None:
            problems.append(FieldProblem("relay", why, "Check the Kafka brokers and the PostgreSQL server."))
        problems += [
            FieldProblem(f"task {task.name}", f"fails with {task.failing}", "The log has the error.")
            for task in self._tasks
            if task.failing is not None
        ]
        return problems

    def dead(self) -> list[FieldProblem]:
        """Why only a restart of this process can help; empty when it is alive."""
        problems = [
            FieldProblem(
                "consumer",
                f"{each.stream} partition {each.partition} stands still at {each.position}, {each.lag} behind",
                "Restart this process.",
            )
            for each in self._stuck
        ]
        problems += [
            FieldProblem(f"task {task.name}", f"failed again and again with {task.failing}", "Restart; read the log.")
            for task in self._tasks
            if task.is_given_up
        ]
        return problems

    async def positions(self) -> list[Position]:
        """How far this process is on the partitions it holds."""
        return [] if self.consumer is None else await self.consumer.positions()

    async def _handle_again(self, record: Record, transaction: Transaction) -> None:
        if self.consumer is None:
            raise Refused("This service hears nothing, so it cannot handle the record.")
        await self.consumer.handling.handle_alone(record, transaction)

    async def _database_problem(self) -> str | None:
        async with self._probing:
            probed_at, problem = self._probed
            if time.monotonic() - probed_at < 1.0:
                return problem
            try:
                async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS), self.work.as_worker() as tx:
                    await tx.fetch_value("SELECT 1")
                problem = None
            except (Transient, TimeoutError) as error:
                problem = f"does not answer ({type(error).__qualname__})"
            self._probed = (time.monotonic(), problem)
            return problem

    async def _observe(self) -> None:
        while True:
            await asyncio.sleep(OBSERVE_EVERY_SECONDS)
            await self.observe()

    async def observe(self, now: float | None = None) -> None:
        """Measure lag, backlog and dead letters, and notice a consumer that stands still.

        Args:
            now: seconds of a monotonic clock; without it the present.
        """
        if await self._database_problem() is not None:
            # A consumer that waits for the database stands still for a good reason; a restart would not help it.
            self._standstill.forget()
            self._stuck = []
            return
        positions = await self.positions()
        for each in positions:
            metrics.consumer_lag.set(
                each.lag,
                {"messaging.destination.name": each.stream, "messaging.destination.partition.id": each.partition},
            )
        self._stuck = self._standstill.observe(positions, time.monotonic() if now is None else now)
        for each in self._stuck:
            _log.error("a consumer stands still", stream=each.stream, partition=each.partition, position=each.position)
        backlog = await operations.backlog(self.work)
        metrics.outbox_pending.set(backlog.pending)
        metrics.outbox_age.set(backlog.oldest_age_seconds)
        metrics.dead_letters_open.set(backlog.dead_letters)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service decides when to stop, and what first."""

    @contextlib.contextmanager
    def capture_signals(self):  # pyright: ignore[reportUnknownParameterType]
        yield


def main(create: Callable[[S], Service], settings: type[S]) -> None:
    """A service's process: read the settings, put it together, run it. Bad settings end it with code 2 and say why."""
    try:
        service = create(settings())
    except ShouwenError as error:
        sys.exit(_complain(error))
    service.run()


def _complain(error: ShouwenError) -> int:
    sys.stderr.write(f"{error}\n")
    return _EXIT_SETTINGS


def _flush(seconds: float) -> None:
    telemetry.flush(seconds)
    metrics.flush(seconds)


def _given(path: Path | None) -> Path:
    assert path is not None, "the settings ensure it"
    return path


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        problem = FieldProblem(
            "SHOUWEN_HTTP_PORT",
            f"cannot listen on {host}:{port} ({os.strerror(error.errno or 0)})",
            "Stop what uses this port, or set another SHOUWEN_HTTP_PORT or SHOUWEN_HTTP_HOST.",
        )
        raise BadSettings((problem,)) from None
    listening.set_inheritable(False)
    return listening


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
