"""The servers under the tests are the real ones."""

import time

import asyncpg
import httpx

from shouwen.embedded.kafka import answers
from shouwen.embedded.testing import Infrastructure


async def test_kafka_answers(infrastructure: Infrastructure) -> None:
    assert await answers(infrastructure.kafka_bootstrap)


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
