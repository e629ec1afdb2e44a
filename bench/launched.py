"""The suite as a user starts it, `make up` in a process of its own, with the time at which each line was printed."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from bench.report import FOLDER
from shouwen.embedded.home import Home

REPOSITORY = FOLDER.parent
STEP = re.compile(r"^(?:\d\d:\d\d:\d\d +)?(?P<name>[\w ,]+?) ready \(\d")
READY = re.compile(r"Ready after [\d.]+ s")
LONGEST_START_SECONDS = 900.0
STOP_SECONDS = 120.0


class StartFailed(Exception):
    """`make up` ended or took too long; the message holds what it printed last."""


@dataclass(slots=True)
class Launched:
    """A suite that `make up` started: seconds since the command per step, and until it was ready."""

    home: Home
    process: subprocess.Popen[str]
    steps: dict[str, float] = field(default_factory=dict[str, float])
    ready: float = 0.0
    stopped: float = 0.0
    lines: list[str] = field(default_factory=list[str])


@contextmanager
def launched(
    home: Path, port_base: int, *, repository: Path = REPOSITORY, environment: Mapping[str, str] | None = None
) -> Generator[Launched]:
    """Start the suite with `make up`, wait until it says that it is ready, and stop it with Ctrl-C after the block.

    Raises:
        StartFailed: see the class.
    """
    begun = monotonic()
    process = subprocess.Popen(
        ["make", "up", f"ARGS=--home {home} --port-base {port_base}"],
        cwd=repository,
        env=dict(os.environ if environment is None else environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    suite = Launched(Home(home), process)
    is_ready = threading.Event()
    reader = threading.Thread(target=_read, args=(suite, begun, is_ready), daemon=True)
    reader.start()
    try:
        is_ready.wait(LONGEST_START_SECONDS)
        if not suite.ready:
            raise StartFailed("\n".join(suite.lines[-20:]))
        yield suite
    finally:
        _stop(suite)
        reader.join(5)


def _read(suite: Launched, begun: float, is_ready: threading.Event) -> None:
    assert suite.process.stdout
    for line in suite.process.stdout:
        at = monotonic() - begun
        suite.lines.append(line.rstrip())
        if not suite.ready:
            if "Starting" in line:
                suite.steps.setdefault("launcher runs", at)
            if step := STEP.match(line):
                suite.steps.setdefault(step["name"], at)
            if READY.search(line):
                suite.ready = at
                is_ready.set()
    is_ready.set()


def _stop(suite: Launched) -> None:
    begun = monotonic()
    if suite.process.poll() is None:
        # To the whole group, as a terminal does: make, uv and the launcher.
        os.killpg(suite.process.pid, signal.SIGINT)
    try:
        suite.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(suite.process.pid, signal.SIGKILL)
        suite.process.wait()
    suite.stopped = monotonic() - begun
