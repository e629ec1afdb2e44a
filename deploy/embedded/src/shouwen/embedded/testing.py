"""pytest plugin: the real Kafka and the real PostgreSQL of this launcher, once per test session.

SHOUWEN_TEST_KAFKA (HOST:PORT) and SHOUWEN_TEST_POSTGRES (a DSN with the right to create databases and roles) point
the tests at servers that run already.
"""

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from shouwen.embedded.kafka import Kafka
from shouwen.embedded.postgres import Postgres, dsn_of
from shouwen.embedded.s3 import S3
from shouwen.embedded.zipkin import Zipkin


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """Where the tests find their broker and their database server."""

    kafka_bootstrap: str
    admin_dsn: Callable[..., str]
    """`admin_dsn(database="postgres")`: connection of a role that may create databases and roles."""
    kafka: Kafka | None
    """The broker, unless it is somebody else's."""
    postgres: Postgres | None
    """The database server, unless it is somebody else's."""


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def launcher_home() -> Iterator[Path]:
    """A temporary home for the session's servers."""
    # Not pytest's tmp_path: PostgreSQL run from root changes to an account that cannot enter that one.
    home = Path(tempfile.mkdtemp(prefix="shouwen-"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def infrastructure(launcher_home: Path) -> Iterator[Infrastructure]:
    """A real broker and a real database server on free ports, stopped at the end of the session."""
    bootstrap, dsn = os.environ.get("SHOUWEN_TEST_KAFKA"), os.environ.get("SHOUWEN_TEST_POSTGRES")
    postgres = None if dsn else Postgres(launcher_home, secrets.token_urlsafe(16))
    kafka = None if bootstrap else Kafka(launcher_home, free_port(), free_port(), say=print)
    try:
        if postgres:
            postgres.start()
        if kafka:
            kafka.start()
        if postgres:
            postgres.wait_ready()
        if kafka:
            kafka.wait_ready()
        base = dsn or (postgres.dsn() if postgres else "")
        yield Infrastructure(
            kafka_bootstrap=bootstrap or (kafka.bootstrap if kafka else ""),
            admin_dsn=partial(dsn_of, base),
            kafka=kafka,
            postgres=postgres,
        )
    finally:
        if kafka:
            kafka.kill()  # its data go away with the home
        if postgres:
            postgres.stop("immediate")


@pytest.fixture(scope="session")
def zipkin(launcher_home: Path) -> Iterator[str]:
    """A real Zipkin on a free port, started when the first test asks for it. Its base URL."""
    server = Zipkin(launcher_home, free_port(), say=print)
    try:
        server.start()
        server.wait_ready()
        yield server.url
    finally:
        server.process.kill()


@pytest.fixture(scope="session")
def s3(launcher_home: Path) -> Iterator[S3]:
    """A real S3-compatible store on a free port, started when the first test asks for it."""
    server = S3(launcher_home, free_port(), say=print)
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.process.kill()
