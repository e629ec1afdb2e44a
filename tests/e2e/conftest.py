"""The whole suite on its default parts: real Kafka, PostgreSQL, Zipkin, mailbox and the four services as processes."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from support import Person, temporary_home

from shouwen.contracts.catalogue import SERVICES
from shouwen.embedded.ports import Ports
from shouwen.embedded.suite import Suite


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    """One suite for all tests of this folder, as ``make up`` starts it, on free ports in a home of its own."""
    settings = {"OTEL_BSP_SCHEDULE_DELAY": "500"}
    environment = dict.fromkeys(SERVICES, settings)
    with (
        temporary_home() as home,
        Suite(home, ports=Ports.free(), environment=environment, say=print) as running,
    ):
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client."""
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
def person(suite: Suite, http: httpx.AsyncClient) -> Callable[..., Person]:
    """``person("bj.clerk", "beijing", "clerk")``."""

    def make(name: str, branch: str, *roles: str) -> Person:
        return Person(suite.access, http, name, branch, *roles)

    return make
