"""`shouwen up` as its users meet it: its own process, signals, and homes side by side.

Only the infrastructure is started (`--only ''`), and Zipkin only where it matters: each start takes seconds.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from shouwen.embedded.home import Home
from shouwen.embedded.ports import Ports
from shouwen.embedded.postgres import Postgres

pytestmark = pytest.mark.timeout(900)  # several starts, on a machine that may be busy
START_SECONDS = 150.0
STOP_SECONDS = 40.0


class Launcher:
    """One `shouwen up` in a process of its own."""

    def __init__(self, home: Path, base: int, *options: str) -> None:
        self.home = Home(home)
        self.output = ""
        self._changed = threading.Condition()
        command = [sys.executable, "-m", "shouwen.embedded", "up", "--home", str(home), "--port-base", str(base)]
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.output += line
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def ready(self) -> "Launcher":
        with self._changed:
            done = self._changed.wait_for(
                lambda: "Ctrl-C stops everything" in self.output or self.process.poll() is not None, START_SECONDS
            )
        assert done and self.process.poll() is None, self.output
        return self

    def ended(self) -> int:
        return self.process.wait(STOP_SECONDS)

    def servers(self) -> list[psutil.Process]:
        """Every process whose command line names this home."""
        return [
            process
            for process in psutil.process_iter()
            if process.pid != self.process.pid and _mentions(process, str(self.home.path))
        ]


def _mentions(process: psutil.Process, text: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and text in " ".join(process.cmdline())
    except psutil.Error:
        return False


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shouwen.embedded", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


def free_base() -> int:
    """A base whose eight ports are free."""
    for base in range(20000 + os.getpid() % 10000, 60000, 16):
        try:
            for port in range(base + 1, base + 9):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


@pytest.fixture
def up(short_home: Path) -> Iterator[Callable[..., Launcher]]:
    """Start launchers; whatever a test leaves is killed."""
    started: list[Launcher] = []

    def start(*options: str, home: Path | None = None, base: int | None = None, only: str = "") -> Launcher:
        launcher = Launcher(home or short_home / "home", base or free_base(), "--only", only, *options)
        started.append(launcher)
        return launcher

    yield start
    for launcher in started:
        if launcher.process.poll() is None:
            launcher.process.kill()
            launcher.process.wait()
        until(lambda one=launcher: not one.servers())


def test_second_start_finds_the_data_and_interrupt_leaves_nothing(up: Callable[..., Launcher]) -> None:
    first = up("--no-traces").ready()
    cluster = (first.home.path / "kafka" / "meta.properties").read_text()
    password = (first.home.secrets / "shouwen_admin_password").read_text()
    assert len(first.servers()) >= 2
    first.process.send_signal(signal.SIGINT)  # Ctrl-C
    assert first.ended() == 0, first.output
    assert first.servers() == []
    assert not first.home.state_file.exists()

    second = up("--no-traces").ready()
    assert (second.home.path / "kafka" / "meta.properties").read_text() == cluster
    assert (second.home.secrets / "shouwen_admin_password").read_text() == password

    noted = json.loads((second.home.run / "postgres.json").read_text())
    os.kill(noted["pid"], signal.SIGKILL)
    until(lambda: "postgres stopped by itself with exit code -9" in second.output)
    until(lambda: "postgres started again" in second.output)
    second.process.terminate()
    assert second.ended() == 0, second.output
    assert second.servers() == []


def test_killed_launcher_leaves_nothing_that_the_next_start_cannot_take_over(up: Callable[..., Launcher]) -> None:
    base = free_base()
    first = up("--no-traces", base=base).ready()
    first.process.kill()
    first.process.wait()
    second = up("--no-traces", base=base).ready()  # the same ports, at once
    assert "Stopped what an earlier launcher left behind" in second.output or sys.platform == "linux"
    assert command("down", "--home", str(second.home.path)).returncode == 0
    assert second.ended() == 0
    assert second.servers() == []


def test_homes_run_side_by_side_and_one_may_use_the_servers_of_another(
    up: Callable[..., Launcher], short_home: Path
) -> None:
    one = up("--no-traces", home=short_home / "one").ready()
    other = up("--no-traces", home=short_home / "other").ready()
    for launcher in (one, other):
        status = command("status", "--home", str(launcher.home.path))
        assert status.returncode == 0
        assert launcher.home.read().kafka in status.stdout
    assert one.home.read().kafka != other.home.read().kafka

    dsn = Postgres(one.home.path, (one.home.secrets / "shouwen_admin_password").read_text()).dsn()
    given = ("--no-traces", "--kafka", one.home.read().kafka, "--postgres", dsn)
    alone = up(*given, home=short_home / "alone", only="sla").ready()
    assert not (alone.home.path / "kafka").exists()
    assert not (alone.home.path / "postgres").exists()
    refused = command("demo", "--home", str(alone.home.path))
    assert refused.returncode == 1
    assert "This needs the service" in refused.stderr
    alone.process.terminate()
    assert alone.ended() == 0

    again = command("up", "--home", str(one.home.path), "--only", "", "--port-base", str(free_base()))
    assert again.returncode == 1
    assert f"already runs on {one.home.path} (launcher process {one.process.pid})" in again.stderr
    assert "shouwen down" in again.stderr
    one.process.terminate()
    assert one.ended() == 0
    assert other.process.poll() is None


def test_taken_port_is_named_with_its_service_and_the_remedy(short_home: Path) -> None:
    base = free_base()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", base + 7))
        holder.listen()
        done = command("up", "--home", str(short_home / "home"), "--only", "", "--port-base", str(base))
    assert done.returncode == 1
    assert re.search(rf"[Pp]ort {base + 7} for kafka is taken by process {os.getpid()}", done.stderr), done.stderr
    assert "--port-base" in done.stderr


def test_failed_download_is_named_with_the_remedy(short_home: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        done = command(
            "up",
            *("--home", str(short_home / "home"), "--only", "", "--port-base", str(free_base())),
            SHOUWEN_CACHE=str(short_home / "cache"),
            SHOUWEN_MAVEN_REPOSITORY=f"http://127.0.0.1:{nobody.getsockname()[1]}",
        )
    assert done.returncode == 1
    assert re.search(r"Download of \S+\.jar for kafka failed", done.stderr), done.stderr
    assert "--kafka HOST:PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_services_beyond_loopback_need_a_real_sign_in(short_home: Path) -> None:
    done = command("up", "--home", str(short_home / "home"), "--only", "", "--host", "192.0.2.1")
    assert done.returncode == 1
    assert "SHOUWEN_OIDC_ISSUER" in done.stderr


def test_commands_on_a_home_where_nothing_runs_say_so(short_home: Path) -> None:
    for arguments in (["status"], ["demo"], ["dead", "list"], ["token", "--person", "bj.clerk"]):
        done = command(*arguments, "--home", str(short_home / "nothing"))
        assert done.returncode == 1
        assert "No suite runs on" in done.stderr
    assert command("down", "--home", str(short_home / "nothing")).returncode == 0
    assert not (short_home / "nothing").exists()


def test_port_base_moves_all_ports() -> None:
    assert Ports.from_base(8100) == Ports(zipkin=8106, kafka=8107, kafka_controller=8108)
