"""The processes of a suite: which there are, how much memory they hold, how much CPU they have used."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import psutil

from bench.figures import Rounds
from bench.report import Table
from shouwen.embedded.home import Home


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one server with all its child processes, in MiB.

    PSS shares a page's size among those who map it, so it may be added up; RSS counts shared pages in every process.
    """

    processes: int
    pss: float
    rss: float


def servers(home: Home) -> dict[str, int]:
    """Process ids of the servers that run on a home, by their pid files."""
    noted = {file.stem: json.loads(file.read_text()) for file in sorted(home.run.glob("*.json"))}
    return {name: content["pid"] for name, content in noted.items() if "pid" in content}


def tree(pid: int, *, without: Collection[int] = ()) -> list[psutil.Process]:
    """A process and its descendants, without the trees that begin at some ids."""
    process = psutil.Process(pid)
    children = [child for child in process.children() if child.pid not in without]
    return [process, *(each for child in children for each in tree(child.pid, without=without))]


def memory(processes: Collection[psutil.Process]) -> Memory:
    """Their memory now."""
    details = [process.memory_full_info() for process in processes]
    # Only Linux knows PSS; elsewhere RSS stands in.
    pss = sum(getattr(one, "pss", one.rss) for one in details)
    return Memory(len(processes), pss / 2**20, sum(one.rss for one in details) / 2**20)


def cpu_seconds(home: Home) -> dict[str, float]:
    """CPU that each server has used since its start, its ended children included, and this process as `generator`."""
    used = {name: sum(_cpu(process) for process in tree(pid)) for name, pid in servers(home).items()}
    return used | {"generator": _cpu(psutil.Process())}


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each has used from one reading to the next."""
    return {name: after[name] - before[name] for name in before}


def cpu_table(columns: Mapping[str, Sequence[Mapping[str, float]]], decimals: int) -> Table:
    """A row for each process, a column for each kind of work: the median and range of its rounds."""
    processes = next(iter(columns.values()))[0].keys()

    def row(name: str, use: Callable[[Mapping[str, float]], float]) -> list[str]:
        return [name, *(Rounds.of([use(one) for one in rounds]).text(decimals) for rounds in columns.values())]

    def all_but_the_generator(one: Mapping[str, float]) -> float:
        return sum(used for name, used in one.items() if name != "generator")

    rows = [row(name, itemgetter(name)) for name in processes]
    rows.append(row("**all but the generator**", all_but_the_generator))
    return Table(["process", *columns], rows)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # a session that ended since it was listed
        return 0.0
    # A database session that has ended is counted in its parent's children.
    ended = times.children_user + times.children_system if hasattr(times, "children_user") else 0.0
    return times.user + times.system + ended
