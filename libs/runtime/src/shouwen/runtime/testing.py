"""pytest plugin for services: the whole service on a real Kafka and a real PostgreSQL, apart from all others.

``running`` gives each test, or module, a database and a stream prefix of its own. What it needs is a broker and a
database server, given by a fixture ``infrastructure`` (see ``Infrastructure``); the launcher has one.

    async with running(create, SlaSettings, infrastructure) as sla:
        await sla.hears(CloudEvent.of(CaseRegistered(...), source="/test"))
        [armed] = await sla.emitted(ClockArmed)
"""

import asyncio
import base64
import json
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from joserfc import jwt
from joserfc.jwk import ECKey

from shouwen.contracts.catalogue import SERVICES, STREAMS, ServiceName, dead_letter_stream, parse
from shouwen.contracts.event import BadEvent, CloudEvent, Event
from shouwen.runtime import dead_letter, queries
from shouwen.runtime.dead_letter import DeadLetter
from shouwen.runtime.migrate import RoleKind, provision, role_url
from shouwen.runtime.outbox import Header
from shouwen.runtime.service import Service
from shouwen.runtime.settings import ServiceSettings

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=ServiceSettings)

ISSUER = "urn:shouwen:test"
TOPIC_PARTITIONS = 3
TOPIC_BYTES = 4_000_000
"""Longer than an event may be, so that a test can send one that is too long."""
PASSWORD = "of-test-databases-only"  # noqa: S105 (roles are shared by all test databases of a server)
_PATIENCE_SECONDS = 30.0
_SIGNING_KEY = ECKey.generate_key("P-256", {"kid": "test", "use": "sig", "alg": "ES256"})


class Infrastructure(Protocol):
    """Where the tests find their broker and their database server."""

    @property
    def kafka_bootstrap(self) -> str:
        """HOST:PORT of a broker."""
        ...

    @property
    def admin_dsn(self) -> Callable[..., str]:
        """``admin_dsn(database="postgres")``: URL of a role that may create databases and roles."""
        ...


class NotHeard(AssertionError):
    """The service did not get where the test expected it in time; the text says where it stands."""


class Running:
    """A running service and what a test does with it."""

    def __init__(self, service: Service, *, prefix: str, bootstrap: str, owner_url: str) -> None:
        self.service = service
        self.prefix = prefix
        self.owner_url = owner_url
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=service.app, raise_app_exceptions=False),
            base_url=f"http://{service.name}.test",
            timeout=30,
        )
        self._bootstrap = bootstrap
        self._stack = AsyncExitStack()
        self._producer: AIOKafkaProducer | None = None
        self._listener: AIOKafkaConsumer | None = None
        self._heard: list[ConsumerRecord[bytes, bytes]] = []

    def token(
        self,
        person: str = "clerk.wang",
        branches: Sequence[str] = ("beijing",),
        roles: Sequence[str] = ("clerk",),
        *,
        expires_in: float = 600,
        **claims: Any,
    ) -> dict[str, str]:
        """The Authorization header of a person; ``claims`` are added to the token or replace what it has."""
        now = int(time.time())
        content = {
            "iss": ISSUER,
            "aud": "shouwen",
            "sub": person,
            "name": person,
            "branches": list(branches),
            "roles": list(roles),
            "iat": now,
            "exp": now + int(expires_in),
            **claims,
        }
        return {"Authorization": f"Bearer {jwt.encode({'alg': 'ES256', 'kid': 'test'}, content, _SIGNING_KEY)}"}

    async def hears(self, *events: CloudEvent[Any]) -> None:
        """Publish events and wait until the service is done with each: handled, a repeat, or a dead letter."""
        places = [await self._publish(event.data.stream, event.key, event.headers(), event.body()) for event in events]
        await self.is_past(places)

    async def publish_raw(
        self,
        stream: str,
        key: bytes | None,
        headers: Sequence[Header],
        body: bytes | None,
        *,
        wait: bool = True,
    ) -> tuple[str, int, int]:
        """Publish a record as it is; with ``wait``, until the service is done with it.

        Returns:
            Stream, partition and offset of the record.
        """
        place = await self._publish(stream, key, headers, body)
        if wait:
            await self.is_past([place])
        return place

    async def is_past(self, places: Sequence[tuple[str, int, int]]) -> None:
        """Wait until the service is done with the records at these places (stream, partition, offset)."""
        for stream, _, _ in places:
            if stream not in self.service.subscriptions.streams:
                raise NotHeard(f"{self.service.name} does not hear {stream}")

        async def behind() -> str | None:
            at = self.service.consumer.handled if self.service.consumer else {}
            left = [(s, p, offset) for s, p, offset in places if at.get((s, p), 0) <= offset]
            return f"{self.service.name} has not handled {left}; it is at {at}" if left else None

        await self.until_none(behind, _PATIENCE_SECONDS)

    async def settled(self, timeout: float = _PATIENCE_SECONDS) -> None:
        """Wait until nothing is left to hear and nothing is left to send."""

        async def unsettled() -> str | None:
            pending = (await self.fetch("SELECT count(*) AS n FROM outbox"))[0]["n"]
            held = await self.service.positions()
            lag = [each for each in held if each.lag]
            missing = bool(self.service.subscriptions.streams) and not held
            return f"outbox {pending}, behind {lag}, holds {len(held)}" if pending or lag or missing else None

        await self.until_none(unsettled, timeout)

    async def emitted(
        self, event: type[E], *, count: int = 1, subject: str | None = None, timeout: float = 20
    ) -> list[CloudEvent[E]]:
        """All events of a type (and subject) on Kafka, once there are at least ``count``.

        With ``count=0`` it waits until the service has settled, and gives what there is.
        """
        if count == 0:
            await self.settled(timeout)

        async def too_few() -> str | None:
            await self._listen()
            found = len(self._found(event, subject))
            return f"{found} of {count} {event.event_type} were emitted" if found < count else None

        await self.until_none(too_few, timeout)
        return self._found(event, subject)

    async def records(self, stream: str) -> list["ConsumerRecord[bytes, bytes]"]:
        """All records of a stream at present, as they are on Kafka."""
        await self._listen()
        return [record for record in self._heard if record.topic == self.prefix + stream]

    async def dead_letters(self) -> list[DeadLetter]:
        """What the service set aside, oldest first."""
        page = await dead_letter.listing(self.service.work, limit=200, with_replayed=True)
        return page.items[::-1]

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Ask the service's database as its owner, whom row-level security does not concern."""
        connection = await asyncpg.connect(self.owner_url)
        try:
            return await connection.fetch(query, *args)
        finally:
            await connection.close()

    async def prepares_every_query(self, package: str) -> list[str]:
        """Prepare each named statement of a package's ``.sql`` files on the migrated schema.

        Returns:
            The names. A statement that does not fit the schema raises the database's error, with its name.
        """
        names: list[str] = []
        connection = await asyncpg.connect(self.owner_url)
        try:
            for file in (resources.files(package) / "sql").iterdir():
                if not file.name.endswith(".sql"):
                    continue
                for name, statement in queries.load(package, f"sql/{file.name}"):
                    try:
                        await connection.prepare(statement)
                    except asyncpg.PostgresError as error:
                        raise AssertionError(f"{package} {name}: {error}") from error
                    names.append(name)
        finally:
            await connection.close()
        return names

    @staticmethod
    async def until_none(problem: Callable[[], Awaitable[str | None]], timeout: float = _PATIENCE_SECONDS) -> None:
        """Wait until ``problem`` has none left to tell; it says what is still missing."""
        until = time.monotonic() + timeout
        while (last := await problem()) is not None:
            if time.monotonic() > until:
                raise NotHeard(f"{last} (after {timeout:g} s)")
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Let go of the test's own connections; the service is stopped by ``running``."""
        await self.http.aclose()
        await self._stack.aclose()

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _publish(
        self, stream: str, key: bytes | None, headers: Sequence[Header], body: bytes | None
    ) -> tuple[str, int, int]:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, acks="all", max_request_size=20_000_000, max_batch_size=1
            )
            await self._producer.start()
            self._stack.push_async_callback(self._producer.stop)
        sent = await self._producer.send_and_wait(
            self.prefix + stream, value=body, key=key, headers=cast("list[tuple[str, bytes]]", list(headers))
        )
        return stream, sent.partition, sent.offset

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, auto_offset_reset="earliest")
            await self._listener.start()
            self._stack.push_async_callback(self._listener.stop)
            topics = [self.prefix + each.name for each in STREAMS] + [
                self.prefix + dead_letter_stream(self.service.name)
            ]
            self._listener.assign([TopicPartition(t, p) for t in topics for p in range(TOPIC_PARTITIONS)])
        while polled := await self._listener.getmany(timeout_ms=50):
            for records in polled.values():
                self._heard += cast("list[ConsumerRecord[bytes, bytes]]", records)

    def _found(self, event: type[E], subject: str | None) -> list[CloudEvent[E]]:
        # Kafka may hold a record twice (a resend after a lost acknowledgement); the id says that it is one event.
        found: dict[tuple[str, str], CloudEvent[E]] = {}
        for record in self._heard:
            if record.topic != self.prefix + event.stream:
                continue
            with suppress(BadEvent):
                one = parse(record.headers, record.value)
                if isinstance(one.data, event) and subject in (None, one.subject):
                    found.setdefault((one.source, one.id), cast("CloudEvent[E]", one))
        return list(found.values())


@asynccontextmanager
async def running(
    create: Callable[[S], Service],
    settings: type[S],
    infrastructure: Infrastructure,
    *,
    service: ServiceName | None = None,
    **overrides: Any,
) -> AsyncGenerator[Running]:
    """Run a service for the time of the block, with a database and streams of its own, which are removed afterwards.

    Args:
        create: makes the service from its settings, as ``app.create``.
        settings: the service's settings class.
        infrastructure: the fixture of that name.
        service: the service's name; without it the name in the module of ``settings``.
        overrides: values of settings.
    """
    async with (
        grounds(infrastructure, service or _name_of(settings)) as ground,
        ground.running(create, settings, **overrides) as one,
    ):
        yield one


class Grounds:
    """A migrated-to-be database and a stream prefix, for one service or several replicas of it."""

    def __init__(self, infrastructure: Infrastructure, service: ServiceName, prefix: str, folder: Path) -> None:
        self.service: ServiceName = service
        self.prefix = prefix
        self.database = f"shouwen_{service}_{prefix.strip('-').replace('-', '_')}"
        self.bootstrap = infrastructure.kafka_bootstrap
        self.admin_url = infrastructure.admin_dsn()
        self._folder = folder

    def url(self, kind: RoleKind) -> str:
        """The database URL of one of the service's roles."""
        return role_url(self.admin_url, self.service, kind, self.database, PASSWORD)

    def values(self) -> dict[str, Any]:
        """Values of the settings that every service has."""
        key_set = self._folder / "jwks.json"
        if not key_set.exists():
            key_set.write_text(json.dumps({"keys": [_SIGNING_KEY.as_dict(private=False)]}))
        return {
            "kafka_bootstrap": self.bootstrap,
            "stream_prefix": self.prefix,
            "database_url": self.url("app"),
            "worker_database_url": self.url("worker"),
            "migration_database_url": self.url("owner"),
            "database_pool_size": 4,
            "http_port": 0,
            "oidc_issuer": ISSUER,
            "oidc_jwks_file": key_set,
            "privacy_keys": f"test:{_KEY}",
            "privacy_hash_key": _KEY,
            "seal_key": _KEY,
        }

    def environment(self) -> dict[str, str]:
        """The same as environment variables, for a service in a process of its own."""
        return {f"SHOUWEN_{name.upper()}": str(value) for name, value in self.values().items()}

    @asynccontextmanager
    async def publishing(self) -> AsyncGenerator[Callable[[CloudEvent[Any]], Awaitable[None]]]:
        """A function that publishes one event, for tests whose service runs in a process of its own."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await producer.start()

        async def publish(event: CloudEvent[Any]) -> None:
            await producer.send_and_wait(
                self.prefix + event.data.stream, value=event.body(), key=event.key, headers=event.headers()
            )

        try:
            yield publish
        finally:
            await producer.stop()

    @asynccontextmanager
    async def running(
        self, create: Callable[[S], Service], settings: type[S], **overrides: Any
    ) -> AsyncGenerator[Running]:
        """Run one replica for the time of the block."""
        made = create(settings(**{**self.values(), **overrides}))
        one = Running(made, prefix=self.prefix, bootstrap=self.bootstrap, owner_url=self.url("owner"))
        try:
            async with asyncio.timeout(60):
                await made.start()
            yield one
        finally:
            await one.close()
            await made.stop()


@asynccontextmanager
async def grounds(infrastructure: Infrastructure, service: ServiceName) -> AsyncGenerator[Grounds]:
    """Make a database and the topics, and remove both afterwards."""
    with tempfile.TemporaryDirectory(prefix="shouwen-test-") as folder:
        ground = Grounds(infrastructure, service, f"t{secrets.token_hex(4)}-", Path(folder))
        topics = [ground.prefix + each.name for each in STREAMS]
        topics += [ground.prefix + dead_letter_stream(each) for each in SERVICES]
        admin = AIOKafkaAdminClient(bootstrap_servers=ground.bootstrap)
        await admin.start()
        try:
            await admin.create_topics(
                [
                    NewTopic(
                        name=topic,
                        num_partitions=TOPIC_PARTITIONS,
                        replication_factor=1,
                        topic_configs={"max.message.bytes": str(TOPIC_BYTES)},
                    )
                    for topic in topics
                ]
            )
            passwords: dict[RoleKind, str] = {"owner": PASSWORD, "app": PASSWORD, "worker": PASSWORD}
            await provision(ground.admin_url, service, ground.database, passwords)
            yield ground
        finally:
            with suppress(KafkaError, OSError):
                await admin.delete_topics(topics)
            await admin.close()
            with suppress(OSError, asyncpg.PostgresError):
                connection = await asyncpg.connect(ground.admin_url)
                await connection.execute(f'DROP DATABASE IF EXISTS "{ground.database}" WITH (FORCE)')
                await connection.close()


_KEY = base64.b64encode(bytes(range(32))).decode()


def _name_of(settings: type[ServiceSettings]) -> ServiceName:
    parts = settings.__module__.split(".")
    for name in SERVICES:
        if name in parts:
            return name
    raise ValueError(f"{settings.__module__} names no service; pass service='…'")
