"""Resident memory of every process of the suite, at rest after the start and at rest after some work."""

import asyncio
import os
import time
from dataclasses import asdict

from bench.launched import Launched, launched
from bench.processes import Memory, memory, servers, tree
from bench.report import Section, Table, circumstances
from bench.servers import home
from shouwen.embedded.access import Access
from shouwen.embedded.load import Load, run

PORT_BASE = 21400
IDLE_SECONDS = 30.0


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


def usage(suite: Launched) -> dict[str, Memory]:
    """Memory now, by server; the launcher is what `make up` started, without the servers."""
    found = servers(suite.home)
    used = {name: memory(tree(pid)) for name, pid in found.items()}
    started = tree(suite.process.pid, without=found.values())
    launcher = [process for process in started if process.pid == suite.home.read().launcher]
    used["launcher"] = memory(launcher)
    used["make around it"] = memory([process for process in started if process not in launcher])
    return used
