"""The whole suite in a temporary home on free ports, as `shouwen up` starts it."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from bench.servers import home
from shouwen.contracts.catalogue import ServiceName
from shouwen.embedded.access import Access
from shouwen.embedded.home import Home
from shouwen.embedded.ports import Ports
from shouwen.embedded.suite import Suite


@contextmanager
def running(*, traces: bool = True, only: Sequence[ServiceName] | None = None) -> Generator[tuple[Suite, Access]]:
    """Start it, and stop it with the block."""
    with (
        home() as folder,
        Suite(Home(folder / "home"), only=only, ports=Ports.free(), traces=traces, say=print) as suite,
    ):
        yield suite, Access.of(suite.home)
