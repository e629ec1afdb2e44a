"""The snippets of docs/integrating.md are run as they stand there."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from shouwen.contracts.catalogue import parse, parse_structured
from shouwen.contracts.event import CloudEvent, Event
from shouwen.contracts.group import InjuryReported
from shouwen.embedded import topics
from shouwen.embedded.java import class_path, java
from shouwen.embedded.maven import jars
from shouwen.embedded.testing import Infrastructure

ROOT = Path(__file__).resolve().parents[2]
SNIPPETS = ROOT / "docs/snippets"


async def run(*command: str | Path, **environment: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def heard(bootstrap: str, prefix: str) -> tuple[bytes | None, CloudEvent[Event]]:
    record = await record_of(bootstrap, prefix)
    return record.key, parse(list(record.headers), record.value)


async def record_of(bootstrap: str, prefix: str) -> ConsumerRecord[bytes, bytes]:
    consumer = AIOKafkaConsumer(f"{prefix}group.v1", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return await asyncio.wait_for(consumer.getone(), 30)
    finally:
        await consumer.stop()


def assert_is_the_injury(event: CloudEvent[Event]) -> None:
    assert isinstance(event.data, InjuryReported)
    assert (event.subject, event.source, event.data.branch) == ("injury/2026-0012", "/hr-core", "beijing")


@pytest.mark.req("X-07")
async def test_the_python_snippet_publishes_the_injury(infrastructure: Infrastructure) -> None:
    prefix = f"{uuid4().hex[:8]}."
    await topics.create(infrastructure.kafka_bootstrap, prefix)
    await run(sys.executable, SNIPPETS / "publish.py", KAFKA=infrastructure.kafka_bootstrap, STREAM_PREFIX=prefix)
    key, event = await heard(infrastructure.kafka_bootstrap, prefix)
    assert key == b"2026-0012"
    assert_is_the_injury(event)


@pytest.mark.req("S-19", "X-07")
async def test_the_snippet_for_a_registered_type_publishes_its_fields(infrastructure: Infrastructure) -> None:
    prefix = f"{uuid4().hex[:8]}."
    await topics.create(infrastructure.kafka_bootstrap, prefix)
    snippet = SNIPPETS / "publish_registered_type.py"
    await run(sys.executable, snippet, KAFKA=infrastructure.kafka_bootstrap, STREAM_PREFIX=prefix)
    sent = await record_of(infrastructure.kafka_bootstrap, prefix)
    assert sent.key == b"2026-0012"
    assert dict(sent.headers)["ce_type"] == b"permit.filed.v1"
    assert set(json.loads(sent.value or b"{}")) >= {"branch", "filed_at"}


@pytest.mark.req("X-07")
async def test_the_kafka_tools_snippet_publishes_the_injury(infrastructure: Infrastructure, tmp_path: Path) -> None:
    prefix = f"{uuid4().hex[:8]}."
    await topics.create(infrastructure.kafka_bootstrap, prefix)
    # The jars hold the class but not Kafka's own wrapper script around it.
    script = tmp_path / "bin/kafka-console-producer.sh"
    script.parent.mkdir()
    path = class_path(jars("kafka", print))
    script.write_text(
        f"#!/bin/sh\nexec '{java()}' -Xmx128m -cp '{path}' org.apache.kafka.tools.ConsoleProducer \"$@\"\n"
    )
    script.chmod(0o755)
    await run(
        "sh",
        SNIPPETS / "publish_with_kafka_tools.sh",
        KAFKA_HOME=str(tmp_path),
        KAFKA=infrastructure.kafka_bootstrap,
        STREAM_PREFIX=prefix,
    )
    key, event = await heard(infrastructure.kafka_bootstrap, prefix)
    assert key == b"2026-0012"
    assert_is_the_injury(event)


@pytest.mark.req("X-07")
async def test_the_http_snippet_posts_the_injury() -> None:
    """Against a listener that notes the request; that intake takes it is shown in tests/e2e."""
    requests: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        assert length
        await requests.put((head, await reader.readexactly(int(length[1]))))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await run("sh", SNIPPETS / "publish_over_http.sh", INTAKE=f"http://127.0.0.1:{port}", TOKEN="a.b.c")
    head, body = requests.get_nowait()
    assert head.startswith("POST /api/events HTTP")
    assert "Authorization: Bearer a.b.c" in head
    assert "Content-Type: application/cloudevents+json" in head
    assert_is_the_injury(parse_structured(body))


def test_every_snippet_stands_in_the_page_as_it_is() -> None:
    page = (ROOT / "docs/integrating.md").read_text(encoding="utf-8")
    for file in SNIPPETS.iterdir():
        if file.suffix in {".py", ".sh"}:
            assert file.read_text(encoding="utf-8").strip() in page, f"docs/integrating.md does not show {file.name}"
