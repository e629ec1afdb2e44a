"""The whole suite on its default parts: real Kafka, PostgreSQL, Zipkin, mailbox and the four services as processes."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support import Person

from shouwen.contracts.catalogue import SERVICES
from shouwen.embedded.home import Home
from shouwen.embedded.ports import Ports
from shouwen.embedded.suite import Suite


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    """One suite for all tests of this folder, as ``make up`` starts it, on free ports in a home of its own."""
    folder = Path(tempfile.mkdtemp(prefix="shouwen-e2e-"))
    folder.chmod(0o711)  # PostgreSQL's account must reach its data when root runs the tests
    settings = {"OTEL_BSP_SCHEDULE_DELAY": "500"}
    environment = dict.fromkeys(SERVICES, settings)
    try:
        with Suite(Home(folder), ports=Ports.free(), environment=environment, say=print) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
