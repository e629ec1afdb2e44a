"""The review service on real Kafka and PostgreSQL, once for the tests of this folder."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shouwen.review.app import create
from shouwen.review.settings import ReviewSettings
from shouwen.runtime.testing import Infrastructure, Running, running


@pytest_asyncio.fixture(scope="module")
async def review(infrastructure: Infrastructure) -> AsyncIterator[Running]:
    """A running review service with a database and streams of its own."""
    async with running(create, ReviewSettings, infrastructure) as service:
        yield service
