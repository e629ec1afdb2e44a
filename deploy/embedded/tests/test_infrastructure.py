"""The servers under the tests are the real ones."""

import asyncpg

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
