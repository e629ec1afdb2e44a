"""Publishing from other systems: typed facts in, acknowledged records out. Needs the extra ``publish`` (aiokafka).

Services of the suite do not use this: they write to an outbox in the transaction that made the fact true.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Literal

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from shouwen.contracts.catalogue import BY_TYPE
from shouwen.contracts.event import MAX_BODY_BYTES, BadEvent, CloudEvent, Event
from shouwen.contracts.group import GroupFact

DEFAULT_TIMEOUT = 15.0
_STOP_TIMEOUT = 3.0


class NotPublished(Exception):
    """Kafka did not acknowledge the event. Publish the same event again, with its id: a repeat does no harm."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a Kafka cluster that asks who you are."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str | None = None
    password: str | None = None
    ssl_context: SSLContext | None = None


class Publisher:
    """An open connection that publishes events in CloudEvents binary mode; made by :func:`connected`."""

    def __init__(self, producer: AIOKafkaProducer, bootstrap: str, prefix: str, timeout: float) -> None:
        self._producer = producer
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._timeout = timeout

    async def publish(self, event: CloudEvent[Any]) -> None:
        """Send one event to its stream and wait until every in-sync replica has it.

        A type that was registered with sla at run time needs a class of its own, derived from ``GroupFact``.

        Raises:
            NotPublished: no acknowledgement within the timeout; whether the event arrived is not known.
            BadEvent: the event is neither in the catalogue nor a fact of another system, or its body is over the limit.
        """
        body = _body(event)
        topic = self._prefix + event.data.stream
        what = f"{event.type} {event.id} was not acknowledged by Kafka at {self._bootstrap}"
        try:
            async with asyncio.timeout(self._timeout):
                await self._producer.send_and_wait(topic, value=body, key=event.key, headers=event.headers())
        except UnknownTopicOrPartitionError:
            raise NotPublished(f"{what}: the topic {topic} does not exist there") from None
        except TimeoutError:
            raise NotPublished(f"{what} within {self._timeout:g} s; publish it again with the same id") from None
        except KafkaError as error:
            raise NotPublished(f"{what} ({type(error).__name__}); publish it again with the same id") from error


def _body(event: CloudEvent[Any]) -> bytes:
    fact: Event = event.data
    # Nobody but sla knows the types that were registered at run time; it sets aside what it does not know.
    is_registered = event.type not in BY_TYPE and isinstance(fact, GroupFact) and event.type == fact.event_type
    if BY_TYPE.get(event.type) is not type(fact) and not is_registered:
        raise BadEvent("ce_type", f"{event.type[:100]!r} is not the type of this fact", "Wrap it with CloudEvent.of")
    body = event.body()
    if len(body) > MAX_BODY_BYTES:
        raise BadEvent("body", f"{len(body)} bytes are over the limit", f"Send at most {MAX_BODY_BYTES} bytes")
    return body


@asynccontextmanager
async def connected(
    bootstrap: str, *, prefix: str = "", timeout: float = DEFAULT_TIMEOUT, access: Access | None = None
) -> AsyncGenerator[Publisher, None]:
    """Connect to Kafka; leaving the context flushes and disconnects.

    The producer is idempotent and waits for all in-sync replicas, so that a retry of the client neither loses nor
    repeats a record. ``timeout`` bounds the connection and each publish, in seconds. ``prefix`` stands before every
    topic on a shared cluster.

    Raises:
        NotPublished: no broker answered within the timeout.
    """
    access = access or Access()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        # Kept below our own limit, so that the reason of a failure comes from the client when it knows one.
        request_timeout_ms=max(1000, int(timeout * 800)),
        security_protocol=access.security_protocol,
        sasl_mechanism=access.sasl_mechanism,
        sasl_plain_username=access.username,
        sasl_plain_password=access.password,
        ssl_context=access.ssl_context,
    )
    try:
        async with asyncio.timeout(timeout):
            await producer.start()
    except (TimeoutError, KafkaError, OSError) as error:
        await _stop(producer)
        raise NotPublished(f"no Kafka broker answered at {bootstrap} within {timeout:g} s") from error
    try:
        yield Publisher(producer, bootstrap, prefix, timeout)
    finally:
        await _stop(producer)


async def _stop(producer: AIOKafkaProducer) -> None:
    # A producer whose broker is gone waits for it for ever when it is stopped; nothing unacknowledged is promised.
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(_STOP_TIMEOUT):
            await producer.stop()


async def publish(
    bootstrap: str,
    *events: CloudEvent[Any],
    prefix: str = "",
    timeout: float = DEFAULT_TIMEOUT,
    access: Access | None = None,
) -> None:
    """Publish some events, in this order, over a connection of their own; see :func:`connected`.

    Raises:
        NotPublished: Kafka did not acknowledge one of them; those before it arrived, those after it were not sent.
        BadEvent: one of them is not a valid event; nothing was sent.
    """
    for event in events:
        _body(event)
    async with connected(bootstrap, prefix=prefix, timeout=timeout, access=access) as publisher:
        for event in events:
            await publisher.publish(event)
