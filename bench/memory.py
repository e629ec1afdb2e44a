"""Resident memory of every process of the suite, at rest after the start and at rest after some work."""

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass

import psutil

from bench.launched import Launched, launched
from bench.report import Section, Table, circumstances
from bench.servers import home
from shouwen.embedded.access import Access
from shouwen.embedded.load import Load, run

PORT_BASE = 21400
IDLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory of one server with all its child processes, in MiB.

    PSS shares a page's size among those who map it, so it may be added up; RSS counts shared pages in every process.
    """

    processes: int
    pss: float
    rss: float


def measure(*, matters: int, command: str) -> Section:
    """Start with `make up`, wait, look; register matters, wait, look again."""
    at = circumstances()
    with home() as folder, launched(folder / "home", PORT_BASE) as suite:
        time.sleep(IDLE_SECONDS)
        before = usage(suite)
        asyncio.run(run(Access.of(suite.home), Load(matters=matters, seed=3000)))
        time.sleep(IDLE_SECONDS)
        after = usage(suite)
    rows = [
        [
            name,
            f"{before[name].processes}",
            *(f"{value:,.0f}" for value in (before[name].pss, before[name].rss, after[name].pss, after[name].rss)),
        ]
        for name in before
    ]
    rows.append(
        [
            "**all**",
            f"{sum(one.processes for one in before.values())}",
            *(
                f"{sum(getattr(one, kind) for one in when.values()):,.0f}"
                for when, kind in ((before, "pss"), (before, "rss"), (after, "pss"), (after, "rss"))
            ),
        ]
    )
    columns = ["MiB", "processes", "idle PSS", "idle RSS", "after work PSS", "after work RSS"]
    return Section(
        name="memory",
        title="Resident memory",
        command=command,
        tables=[Table(columns, rows)],
        notes=[
            f"Read {IDLE_SECONDS:g} s after the suite was ready, and {IDLE_SECONDS:g} s after {matters} matters were "
            "registered and worked. One run. PSS counts a shared page in parts, so the sum is what the suite takes; "
            "the RSS of PostgreSQL counts its shared buffers once per process.",
        ],
        figures={
            "idle_mib": {name: asdict(one) for name, one in before.items()},
            "after_work_mib": {name: asdict(one) for name, one in after.items()},
        },
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


def usage(suite: Launched) -> dict[str, Usage]:
    """Memory now, by server; the launcher is what `make up` started, without the servers."""
    servers = {
        file.stem: json.loads(file.read_text())["pid"]
        for file in sorted(suite.home.run.glob("*.json"))
        if "pid" in json.loads(file.read_text())
    }
    found = {name: _of(_tree(pid, set())) for name, pid in servers.items()}
    launcher = _tree(suite.process.pid, set(servers.values()))
    ours = [process for process in launcher if process.pid == suite.home.read().launcher]
    found["launcher"] = _of(ours)
    found["make and uv around it"] = _of([process for process in launcher if process not in ours])
    return found


def _tree(pid: int, without: set[int]) -> list[psutil.Process]:
    """A process and its descendants, without those trees."""
    process = psutil.Process(pid)
    others = [each for child in process.children() if child.pid not in without for each in _tree(child.pid, without)]
    return [process, *others]


def _of(processes: list[psutil.Process]) -> Usage:
    details = [process.memory_full_info() for process in processes]
    # Only Linux knows PSS; elsewhere RSS stands in.
    pss = sum(getattr(one, "pss", one.rss) for one in details)
    return Usage(len(processes), pss / 2**20, sum(one.rss for one in details) / 2**20)
