"""A Kafka and a PostgreSQL of the launcher alone, without services, for the raw limits."""

import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from types import MappingProxyType

from shouwen.embedded.kafka import Kafka
from shouwen.embedded.postgres import Postgres
from shouwen.embedded.testing import free_port


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the raw measurements find their servers."""

    kafka_bootstrap: str
    admin_dsn: str


@contextmanager
def home() -> Generator[Path]:
    """A temporary home, which PostgreSQL's own account can enter; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="shouwen-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def bare_servers(postgres_settings: Mapping[str, str] = MappingProxyType({})) -> Generator[Servers]:
    """Both servers in a temporary home on free ports, stopped at the end."""
    with home() as folder:
        postgres = Postgres(folder, token_urlsafe(16), postgres_settings)
        kafka = Kafka(folder, free_port(), free_port(), say=print)
        try:
            postgres.start()
            kafka.start()
            postgres.wait_ready()
            kafka.wait_ready()
            yield Servers(kafka.bootstrap, postgres.dsn())
        finally:
            kafka.kill()  # its data go away with the home
            postgres.stop("immediate")
