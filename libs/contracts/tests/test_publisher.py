"""The publisher for other systems, against a real broker and against none."""

import socket
import subprocess
import sys
import time
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from shouwen.contracts import samples
from shouwen.contracts.case import CaseResolved
from shouwen.contracts.catalogue import parse
from shouwen.contracts.event import BadEvent, CloudEvent, Event
from shouwen.contracts.group import InjuryPlanDelivered, InjuryReported
from shouwen.contracts.publisher import NotPublished, connected, publish
from shouwen.embedded import topics
from shouwen.embedded.testing import Infrastructure


def injury(subject: str = "injury/2026-0012", **changes: Any) -> CloudEvent[InjuryReported]:
    fact = InjuryReported.model_validate({**samples.of("injury.reported.v1").body, **changes})
    return CloudEvent.of(fact, source="/hr-core", subject=subject)


async def everything(bootstrap: str, topic: str, count: int) -> list[tuple[bytes | None, int, CloudEvent[Event]]]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        records = [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()
    return [(each.key, each.partition, parse(list(each.headers), each.value)) for each in records]


@pytest.mark.req("X-07")
async def test_another_system_publishes_a_fact_that_every_service_can_read(infrastructure: Infrastructure) -> None:
    prefix = f"{uuid4().hex[:8]}."
    await topics.create(infrastructure.kafka_bootstrap, prefix)
    reported = injury()
    delivered = CloudEvent.of(
        InjuryPlanDelivered.model_validate(samples.of("injury.plan_delivered.v1").body),
        source="/hr-core",
        subject="injury/2026-0012",
    )
    await publish(infrastructure.kafka_bootstrap, reported, delivered, prefix=prefix)
    heard = await everything(infrastructure.kafka_bootstrap, prefix + "group.v1", 2)
    assert [event for _, _, event in heard] == [reported, delivered]
    assert {key for key, _, _ in heard} == {b"2026-0012"}
    assert len({partition for _, partition, _ in heard}) == 1, "facts of one subject stay in one partition, in order"


async def test_an_open_publisher_sends_many_events(infrastructure: Infrastructure) -> None:
    prefix = f"{uuid4().hex[:8]}."
    await topics.create(infrastructure.kafka_bootstrap, prefix)
    async with connected(infrastructure.kafka_bootstrap, prefix=prefix) as publisher:
        for number in range(20):
            await publisher.publish(injury(f"injury/{number}"))
    heard = await everything(infrastructure.kafka_bootstrap, prefix + "group.v1", 20)
    assert {event.subject for _, _, event in heard} == {f"injury/{number}" for number in range(20)}


async def test_a_topic_that_is_not_there_is_named(infrastructure: Infrastructure) -> None:
    with pytest.raises(NotPublished, match=r"the topic nowhere\.group\.v1 does not exist there"):
        await publish(infrastructure.kafka_bootstrap, injury(), prefix="nowhere.", timeout=2)


async def test_a_broker_that_is_not_there_is_named_within_the_timeout() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    begun = time.monotonic()
    with pytest.raises(NotPublished, match=f"no Kafka broker answered at {address} within 2 s"):
        await publish(address, injury(), timeout=2)
    assert time.monotonic() - begun < 10


async def test_a_broker_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        with pytest.raises(NotPublished, match="no Kafka broker answered"):
            await publish(f"127.0.0.1:{silent.getsockname()[1]}", injury(), timeout=2)
        assert time.monotonic() - begun < 10


async def test_an_event_whose_type_is_not_its_facts_own_is_refused_before_anything_is_sent() -> None:
    fact = CaseResolved.model_validate(samples.of("case.resolved.v1").body)
    mislabelled = CloudEvent("1", "case.replied.v1", "/x", fact.subject, injury().time, fact)
    with pytest.raises(BadEvent, match="not the type of this fact"):
        await publish("127.0.0.1:1", mislabelled)


def test_a_valid_event_needs_pydantic_and_nothing_else() -> None:
    code = (
        "import sys\n"
        "from shouwen.contracts import catalogue, compatibility, samples, schemas\n"
        "foreign = {m.partition('.')[0] for m in sys.modules} & {'aiokafka', 'asyncpg', 'faststream', 'yaml'}\n"
        "own = {m for m in sys.modules if m.startswith('shouwen.') and not m.startswith('shouwen.contracts')}\n"
        "assert not foreign | own, foreign | own\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
