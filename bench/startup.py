"""Seconds from `make up` to ready: all downloaded and the data there, a new home, and nothing there at all."""

import os
import subprocess

from bench.figures import Rounds
from bench.launched import REPOSITORY, Launched, launched
from bench.report import Section, Table, circumstances
from bench.servers import home

PORT_BASE = 21300
DROPPED = ("VIRTUAL_ENV", "PYTHONPATH", "UV_CACHE_DIR", "UV_PROJECT_ENVIRONMENT", "SHOUWEN_CACHE", "SHOUWEN_HOME")
"""What a fresh machine does not have in its environment; settings of package registries stay."""


def measure(*, rounds: int, cold_rounds: int, command: str) -> Section:
    """Start and stop the suite: each round a new home, then the same home again; then from nothing."""
    at = circumstances()
    kinds: dict[str, list[Launched]] = {"second start": [], "new home": [], "nothing cached": []}
    for _ in range(rounds):
        with home() as folder:
            for kind in ("new home", "second start"):
                with launched(folder / "home", PORT_BASE) as suite:
                    kinds[kind].append(suite)
    kinds["nothing cached"] = [_cold() for _ in range(cold_rounds)]
    kinds = {kind: starts for kind, starts in kinds.items() if starts}
    steps = list(dict.fromkeys(step for starts in kinds.values() for start in starts for step in start.steps))
    rows = [
        [step, *(_cell([start.steps[step] for start in starts if step in start.steps]) for starts in kinds.values())]
        for step in steps
    ]
    rows.append(["**ready**", *(_cell([start.ready for start in starts]) for starts in kinds.values())])
    rows.append(["Ctrl-C to all stopped", *(_cell([start.stopped for start in starts]) for starts in kinds.values())])
    return Section(
        name="startup",
        title="Seconds from `make up` to ready",
        command=command,
        tables=[Table(["seconds since the command", *kinds], rows)],
        notes=[
            f"{rounds} rounds of a new home and a second start on it; {cold_rounds} from nothing: a fresh clone, "
            "HOME and caches empty, so uv, all packages and the jars of Kafka and Zipkin are fetched first. "
            "How long that takes is the network's matter more than the suite's.",
            "Steps overlap: a server's line is printed when the launcher has seen it ready, in the launcher's order.",
        ],
        figures={
            kind: [
                {"ready_seconds": start.ready, "stop_seconds": start.stopped, "steps_seconds": start.steps}
                for start in starts
            ]
            for kind, starts in kinds.items()
        },
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


def _cell(values: list[float]) -> str:
    return Rounds.of(values).text(1) if values else "–"


def _cold() -> Launched:
    with home() as folder:
        clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(clone)], check=True)
        environment = {name: value for name, value in os.environ.items() if name not in DROPPED}
        for name in ("home", "cache", "data"):
            (folder / name).mkdir()
        environment |= {
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
        }
        with launched(folder / "suite", PORT_BASE, repository=clone, environment=environment) as suite:
            pass
    return suite
