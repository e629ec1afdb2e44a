"""The servers under the tests are the real ones."""

import time
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest

from shouwen.embedded.kafka import Kafka, answers
from shouwen.embedded.testing import Infrastructure, free_port


async def test_kafka_answers(infrastructure: Infrastructure) -> None:
    assert await answers(infrastructure.kafka_bootstrap)


def test_kafka_starts_also_with_a_cluster_id_that_begins_with_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(bytes=b"\xfb" + bytes(15)))
    kafka = Kafka(tmp_path, free_port(), free_port(), print)
    try:
        kafka.start()
        kafka.wait_ready()
        assert "cluster.id=-w" in (kafka.data / "meta.properties").read_text()
    finally:
        kafka.stop()


async def test_postgres_finds_chinese_text_by_trigrams(infrastructure: Infrastructure) -> None:
    connection = await asyncpg.connect(infrastructure.admin_dsn())
    try:
        assert connection.get_server_version().major == 18
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        assert await connection.fetchval("SELECT similarity('北京人力资源有限公司', '北京人力资源公司')") > 0.5
    finally:
        await connection.close()


def test_zipkin_finds_a_span_by_an_attribute(zipkin: str) -> None:
    span = {
        "traceId": "a" * 32,
        "id": "b" * 16,
        "name": "register case",
        "timestamp": time.time_ns() // 1000,
        "duration": 1000,
        "localEndpoint": {"serviceName": "intake"},
        "tags": {"shouwen.case.id": "42"},
    }
    assert httpx.post(f"{zipkin}/api/v2/spans", json=[span]).is_success
    deadline = time.monotonic() + 20
    while True:
        found = httpx.get(f"{zipkin}/api/v2/traces", params={"annotationQuery": "shouwen.case.id=42"}).json()
        if found:
            break
        assert time.monotonic() < deadline, "Zipkin does not show the span"
        time.sleep(0.1)
    assert [one["traceId"] for trace in found for one in trace] == ["a" * 32]
