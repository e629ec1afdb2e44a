"""Transactions: everything a handler changes, and every event it emits, becomes true together or not at all.

Requests of people run as the database's *app* role with the person's branches (row-level security lets nothing else
through); the event path runs as the *worker* role, which may write any branch and writes the event's own.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pydantic_core import from_json, to_json

from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime import outbox, telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Transient
from shouwen.runtime.outbox import Outgoing

E = TypeVar("E", bound=Event)

_BRANCH = re.compile(r"[a-z][a-z0-9-]{1,39}")
_PASSING_STATES = ("08", "40", "53", "55", "57", "58")
"""SQLSTATE classes that say nothing against the statement: connection lost, rolled back for another transaction's sake,
no resources (disk full, too many connections), object in use, operator's intervention (restart), system error."""
_ACQUIRE_SECONDS = 10.0
"""Longest wait for a free connection; then the caller is told to come back."""
_READ_ONLY = "25006"
"""The server has become a replica: the same statement succeeds on its successor."""


class DatabaseUnavailable(Transient):
    """The database does not answer at the moment."""


def is_passing(error: BaseException) -> bool:
    """Whether a database error says nothing against the work itself: a lost connection, a restart, a deadlock."""
    if isinstance(error, (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)):
        # A newer release has migrated the schema meanwhile; asyncpg has forgotten its old plans with this error.
        return True
    if isinstance(error, asyncpg.PostgresError):
        state = str(getattr(error, "sqlstate", "") or "")
        return state[:2] in _PASSING_STATES or state == _READ_ONLY
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg's name for using a connection that has meanwhile been lost, or a pool that is closing.
        return any(word in str(error) for word in ("closed", "closing", "released"))
    return isinstance(error, OSError)  # TimeoutError and ConnectionError are among them


def may_pass(error: BaseException) -> bool:
    """Whether trying the same work again later may succeed, wherever in it the error arose.

    Unlike ``is_passing`` it does not take every OSError for a lost connection: a missing file stays missing.
    """
    if isinstance(error, (Transient, ConnectionError, TimeoutError)):
        return True
    return not isinstance(error, OSError) and is_passing(error)


class Transaction:
    """One open transaction. ``now`` is the database's time at its start; ``principal`` the person, if one asked."""

    def __init__(
        self,
        connection: "PoolConnectionProxy[asyncpg.Record]",
        *,
        now: datetime,
        source: str,
        principal: Principal | None = None,
    ) -> None:
        self.now = now
        self.principal = principal
        self.outgoing: list[Outgoing] = []
        self.has_emitted = False
        self._connection = connection
        self._source = source

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """All rows."""
        with _DatabaseErrors():
            return await self._connection.fetch(query, *args)

    async def fetch_one(self, query: str, *args: object) -> asyncpg.Record | None:
        """The first row, if there is one."""
        with _DatabaseErrors():
            return await self._connection.fetchrow(query, *args)

    async def fetch_value(self, query: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        with _DatabaseErrors():
            return await self._connection.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; the answer is its command tag, as ``UPDATE 1``."""
        with _DatabaseErrors():
            return await self._connection.execute(query, *args)

    async def execute_many(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for each row of arguments, in one round trip."""
        with _DatabaseErrors():
            await self._connection.executemany(query, rows)

    def emit(
        self,
        data: E,
        *,
        subject: str | None = None,
        time: datetime | None = None,
        event_id: str | None = None,
        traceparent: str | None = None,
        source: str | None = None,
    ) -> CloudEvent[E]:
        """Tell the other services a fact, once this transaction has committed.

        Lock the aggregate's row (or create it) before: that keeps the facts of one key in order (see ``outbox``).

        Args:
            data: the fact; its type decides the stream.
            subject: the CloudEvents subject; without it the fact's own. Its last part is the Kafka key.
            time: when the fact became true; without it the start of this transaction.
            event_id: without it a random id. Give one that follows from the cause where a repeat must be recognised.
            traceparent: the trace the fact belongs to; without it that of the current span.
            source: without it ``/shouwen/NAME`` of this service.
        """
        event = CloudEvent.of(
            data,
            source=source or self._source,
            time=time or self.now,
            event_id=event_id,
            subject=subject,
            traceparent=traceparent or telemetry.current_traceparent(),
        )
        self.outgoing.append(Outgoing.of(event))
        return event

    def pass_on(self, record: Outgoing) -> None:
        """Send a record as it is, once this transaction has committed."""
        self.outgoing.append(record)

    async def execute_and_flush(self, query: str, *args: object) -> str:
        """Run a statement and write what was emitted so far into the outbox, in one round trip."""
        records, self.outgoing = self.outgoing, []
        if not records:
            return await self.execute(query, *args)
        self.has_emitted = True
        return await self.execute(outbox.adding_to(query, len(args)), *args, *outbox.columns(records))

    async def flush(self) -> None:
        """Write what was emitted so far into the outbox; the unit of work does it before the commit."""
        records, self.outgoing = self.outgoing, []
        if records:
            self.has_emitted = True
            with _DatabaseErrors():
                await outbox.add(self._connection, records)


@dataclass(frozen=True, slots=True)
class Pools:
    """The open connection pools of both roles."""

    app: asyncpg.Pool
    worker: asyncpg.Pool


class UnitOfWork:
    """Opens transactions for people and for the event path.

    Args:
        app_url: database URL of the app role.
        worker_url: database URL of the worker role.
        source: CloudEvents source of what is emitted, ``/shouwen/NAME``.
        pool_size: connections per role, at most.
        command_timeout: longest time of one statement.
    """

    def __init__(
        self,
        *,
        app_url: str,
        worker_url: str,
        source: str,
        pool_size: int = 8,
        command_timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self._app_url = app_url
        self._worker_url = worker_url
        self._source = source
        self._pool_size = pool_size
        self._command_timeout = command_timeout.total_seconds()
        self._pools: Pools | None = None
        self._wake: list[Callable[[], None]] = []

    @property
    def source(self) -> str:
        """CloudEvents source of what this service emits."""
        return self._source

    def wakes(self, relay: Callable[[], None]) -> None:
        """Call ``relay`` after each commit that has left something in the outbox."""
        self._wake.append(relay)

    async def open(self) -> None:
        """Open the pools.

        Raises:
            DatabaseUnavailable: the database does not answer; asking again later may help.
        """
        if self._pools is not None:
            return
        with _DatabaseErrors():
            app = await self._pool(self._app_url)
            try:
                self._pools = Pools(app=app, worker=await self._pool(self._worker_url))
            except BaseException:
                app.terminate()
                raise

    async def close(self) -> None:
        """Close the pools; connections that are still busy after five seconds are cut."""
        pools, self._pools = self._pools, None
        if pools is None:
            return
        for pool in (pools.app, pools.worker):
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pool.terminate()

    def as_person(self, principal: Principal) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that sees and writes only the branches of ``principal``.

        Raises:
            DatabaseUnavailable: the connection was lost. Whether the work was committed is then unknown: the caller
                repeats it under the same idempotency key.
        """
        return self._transaction(principal)

    def as_worker(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction of the event path, which may write any branch.

        Raises:
            DatabaseUnavailable: the connection was lost; the work may or may not have been committed.
        """
        return self._transaction(None)

    async def at_once(self, principal: Principal, query: str, *args: object) -> list[asyncpg.Record]:
        """Run one statement as a transaction of its own: nobody waits for this process while its locks are held.

        Its first argument is the value of ``shouwen.branches``, which it has to set before it touches a row; ``args``
        follow. If it adds to the outbox, ``wake_relay`` tells the relay.

        Returns:
            All rows.

        Raises:
            DatabaseUnavailable: the connection was lost. Whether the work was committed is then unknown.
        """
        pool = self.pool_of(principal)
        with _DatabaseErrors():
            async with pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
                return await connection.fetch(query, visible_branches(principal), *args)

    def event_of(self, data: E, *, time: datetime, traceparent: str | None) -> CloudEvent[E]:
        """An event of this service, for a statement that queues it itself."""
        return CloudEvent.of(data, source=self._source, time=time, traceparent=traceparent)

    def _transaction(self, principal: Principal | None) -> "_Opening":
        return _Opening(self, principal)

    def pool_of(self, principal: Principal | None) -> asyncpg.Pool:
        """The open pool for a person's request, or for the event path.

        Raises:
            DatabaseUnavailable: the service has not opened its database yet, or has closed it.
        """
        if self._pools is None:
            raise DatabaseUnavailable("The service has not opened its database.", remedy="Try again in a moment.")
        return self._pools.worker if principal is None else self._pools.app

    def wake_relay(self) -> None:
        """Say that the outbox has something new; the relay would notice by itself a little later."""
        for wake in self._wake:
            wake()

    async def _pool(self, url: str) -> asyncpg.Pool:
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=self._pool_size,
            command_timeout=self._command_timeout,
            timeout=10,
            max_inactive_connection_lifetime=300,
            init=read_json,
            reset=_keep_session,
            server_settings={"application_name": self._source},
        )


class _Opening:
    """One transaction's life: begin and say who asks; commit with the outbox, or roll back."""

    def __init__(self, work: UnitOfWork, principal: Principal | None) -> None:
        self._work = work
        self._principal = principal

    async def __aenter__(self) -> Transaction:
        principal = self._principal
        self._pool = self._work.pool_of(principal)
        with _DatabaseErrors():
            self._connection = await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
            try:
                self._inner = self._connection.transaction()
                await self._inner.start()
                opened = await (
                    self._connection.fetchrow(outbox.QUERIES.begin_worker)
                    if principal is None
                    else self._connection.fetchrow(outbox.QUERIES.begin_person, visible_branches(principal))
                )
            except BaseException:
                await self._pool.release(self._connection)
                raise
        assert opened is not None
        self._transaction = Transaction(
            self._connection, now=opened["now"], source=self._work.source, principal=principal
        )
        return self._transaction

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            if error is not None:
                with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await self._inner.rollback()
                return
            with _DatabaseErrors():
                await self._transaction.flush()
                await self._inner.commit()
        finally:
            await self._pool.release(self._connection)
        if self._transaction.has_emitted:
            self._work.wake_relay()


def visible_branches(principal: Principal) -> str:
    """The value of ``shouwen.branches``: ``*`` for group roles, else the branch codes with commas between.

    A claim that is not a branch code (``*``, ``a,b``) is left out: it must not open more than it names.
    """
    if principal.sees_all:
        return "*"
    return ",".join(sorted(branch for branch in principal.branches if _BRANCH.fullmatch(branch)))


class _DatabaseErrors:
    """Turns errors of a lost or busy database into DatabaseUnavailable; others pass."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, Transient) and is_passing(error):
            raise DatabaseUnavailable(_what(error), remedy="Try again in a moment.") from error


def _what(error: BaseException) -> str:
    state = str(getattr(error, "sqlstate", "") or "")
    cause = f"{type(error).__name__} {state}".strip()
    return f"The database does not answer at the moment ({cause})."


async def read_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Let a connection take and give ``jsonb`` as Python objects; UUIDs and times among them become their texts."""
    await connection.set_type_codec("jsonb", encoder=_json, decoder=from_json, schema="pg_catalog")


def _json(value: object) -> str:
    return to_json(value).decode()


async def _keep_session(_connection: object) -> None:
    """Transactions leave nothing behind in the session (SET LOCAL), so the usual reset would be a wasted round trip."""
