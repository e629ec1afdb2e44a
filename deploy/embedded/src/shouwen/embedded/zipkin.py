"""Zipkin 3 on the same Java runtime, on loopback; it keeps its traces in memory, the newest ones."""

from pathlib import Path

import httpx

from shouwen.embedded.java import SMALL, java
from shouwen.embedded.maven import Say, jars
from shouwen.embedded.process import Process, own_environment

READY_SECONDS = 180.0  # seconds on an idle machine; a busy one needs patience
HEAP = "-Xmx256m"
MAX_SPANS = 300_000
TIMEOUT_SECONDS = 2.0


class Zipkin:
    """The trace store of one home."""

    def __init__(self, home: Path, port: int, say: Say) -> None:
        self.home = home
        self.port = port
        self._say = say
        self.process = Process(
            name="zipkin",
            marker=f"-Dshouwen.home={home}",
            log=home / "logs" / "zipkin.log",
            pid_file=home / "run" / "zipkin.json",
            stop_seconds=5,
        )

    @property
    def url(self) -> str:
        """Base address of its API and pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans_url(self) -> str:
        """Where exporters send spans."""
        return f"{self.url}/api/v2/spans"

    def start(self) -> None:
        """Start the server; does not wait."""
        [jar] = jars("zipkin", self._say)
        listen = {"ip": "127.0.0.1", "port": str(self.port), "protocols[0]": "http"}
        flags = [f"--armeria.ports[0].{name}={value}" for name, value in listen.items()]
        command = [java(), HEAP, *SMALL, self.process.marker, "-jar", str(jar), *flags]
        self.process.start(command, own_environment(STORAGE_TYPE="mem", MEM_MAX_SPANS=str(MAX_SPANS)))

    def wait_ready(self) -> None:
        """Wait until it answers."""
        self.process.wait_ready(self._answers, READY_SECONDS, every=0.2)

    def stop(self) -> None:
        """Stop the server; its traces are gone."""
        self.process.stop()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=TIMEOUT_SECONDS).is_success
        except httpx.HTTPError:
            return False
