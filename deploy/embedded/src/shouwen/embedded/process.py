"""One server as a child process: tied to this process, known by a pid file, stopped by signal, never mistaken."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from shouwen.embedded.errors import LauncherError

MAX_LOG_BYTES = 20_000_000
LOG_TAIL_LINES = 15
KILL_WAIT_SECONDS = 10.0
TETHER = Path(__file__).with_name("tether.py")


# The kernel's tie is to the thread that started the child, not to the process: this thread ends with the process.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="spawner")


@dataclass(frozen=True, slots=True)
class User:
    """An unprivileged account to which a server changes."""

    name: str
    uid: int
    gid: int


def tethered(command: Sequence[str], *, death_signal: signal.Signals, user: User | None = None) -> list[str]:
    """The command line that starts the command as the given user and ends it with this process."""
    account = f"{user.uid}:{user.gid}" if user else "-"
    own = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(death_signal)), account]
    return [*own, *command]


@dataclass(slots=True)
class Process:
    """A server of one home.

    `marker` is a path of the home that stands in the server's command line: a pid file is only believed when the
    process it names started at the recorded time and carries the marker, so no process of somebody else is stopped.
    """

    name: str
    marker: str
    log: Path
    pid_file: Path
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 15.0
    user: User | None = None
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _started: float = field(default=0.0, init=False)

    @classmethod
    def noted(cls, home: Path, pid_file: Path) -> "Process | None":
        """The server that an earlier launcher wrote into the pid file, so that it can be stopped."""
        try:
            noted: dict[str, Any] = json.loads(pid_file.read_text())
            return cls(
                name=noted["name"],
                marker=noted["marker"],
                log=home / "logs" / f"{noted['name']}.log",
                pid_file=pid_file,
                stop_signal=signal.Signals(noted["stop_signal"]),
                stop_seconds=noted["stop_seconds"],
            )
        except (OSError, ValueError, KeyError):
            return None

    @property
    def pid(self) -> int | None:
        """Process id while the child runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def running(self) -> bool:
        """Whether the child runs."""
        return self.pid is not None

    def age(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started

    @property
    def exit_code(self) -> int | None:
        """Exit code of a child that ended; negative for a signal."""
        return self._child.poll() if self._child else None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the command; what an earlier launcher left behind under this name is stopped first."""
        if self.running:
            raise LauncherError(f"{self.name} is already running (process {self.pid})")
        self.stop_leftover()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        _spawner.submit(self._spawn, command, environment).result()

    def _spawn(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                tethered(command, death_signal=self.death_signal, user=self.user),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd="/",  # an unprivileged user may be unable to reach the caller's folder
                start_new_session=True,  # Ctrl-C reaches the launcher alone, which stops the servers in order
            )
        self._started = time.monotonic()
        started = psutil.Process(self._child.pid).create_time()
        temporary = self.pid_file.with_suffix(".new")
        noted = {
            "name": self.name,
            "pid": self._child.pid,
            "started": started,
            "marker": self.marker,
            "stop_signal": int(self.stop_signal),
            "stop_seconds": self.stop_seconds,
        }
        temporary.write_text(json.dumps(noted))
        temporary.replace(self.pid_file)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child, if it runs."""
        if self._child and self._child.poll() is None:
            self._child.send_signal(number)

    def stop(self, number: signal.Signals | None = None, seconds: float | None = None) -> None:
        """Ask the child to stop; kill its process group when it does not within the time."""
        if self._child is None:
            return
        self.send(number or self.stop_signal)
        self.wait_stopped(self.stop_seconds if seconds is None else seconds)

    def wait_stopped(self, seconds: float) -> None:
        """Wait for the child's end; kill its process group when the time is over."""
        if self._child is None:
            return
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL the child and what it started, and wait for its end."""
        if self._child is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(KILL_WAIT_SECONDS)
        self.pid_file.unlink(missing_ok=True)

    def leftover(self) -> psutil.Process | None:
        """The process that the pid file names, if it is really ours."""
        try:
            noted: dict[str, Any] = json.loads(self.pid_file.read_text())
            process = psutil.Process(noted["pid"])
            same_start = abs(process.create_time() - noted["started"]) < 1.0
            if same_start and process.status() != psutil.STATUS_ZOMBIE and self.marker in " ".join(process.cmdline()):
                return process
        except (OSError, ValueError, KeyError, psutil.Error):
            pass
        return None

    def stop_leftover(self) -> bool:
        """Stop the server that a killed launcher left behind. Returns whether there was one."""
        process = self.leftover()
        if process is None:
            self.pid_file.unlink(missing_ok=True)
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(self.stop_signal)
        if not _is_gone_within(process, self.stop_seconds):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            _is_gone_within(process, KILL_WAIT_SECONDS)
        self.pid_file.unlink(missing_ok=True)
        return True

    def wait_ready(self, ready: Callable[[], bool], seconds: float, every: float = 0.05) -> float:
        """Wait until `ready` says so. Returns the seconds waited.

        Raises:
            LauncherError: the child ended, or was not ready in time; quotes the end of its log.
        """
        begun = time.monotonic()
        while True:
            if ready():
                return time.monotonic() - begun
            if not self.running:
                raise LauncherError(f"{self.name} stopped with exit code {self.exit_code}", self._log_tail())
            if time.monotonic() - begun > seconds:
                raise LauncherError(f"{self.name} was not ready within {seconds:.0f} s", self._log_tail())
            time.sleep(every)

    def _log_tail(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except OSError:
            lines = []
        return "\n  ".join([f"The end of {self.log}:", *lines])


def _is_gone_within(process: psutil.Process, seconds: float) -> bool:
    # Not psutil's wait: a dead process that its new parent never reaps would count as alive.
    deadline = time.monotonic() + seconds
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True


def own_environment(**extra: str) -> dict[str, str]:
    """The few variables that a server needs from ours, and the extra ones."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "TZ") if name in os.environ}
    return {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **kept, **extra}
