"""S3Proxy 4 on the same Java runtime, on loopback: a store of files that speaks S3, for tests."""

from pathlib import Path
from typing import ClassVar

import httpx

from shouwen.embedded.java import SMALL, java
from shouwen.embedded.maven import Say, jars
from shouwen.embedded.process import Process, own_environment

READY_SECONDS = 60.0  # seconds on an idle machine; a busy one needs patience
HEAP = "-Xmx128m"
TIMEOUT_SECONDS = 2.0
REFUSED = 403  # what it answers to who did not sign


class S3:
    """The store of one home. Buckets are folders of ``buckets``."""

    IDENTITY: ClassVar[str] = "shouwen"
    CREDENTIAL: ClassVar[str] = "only-for-tests"

    def __init__(self, home: Path, port: int, say: Say) -> None:
        self.buckets = home / "s3"
        self.port = port
        self._say = say
        self._settings = home / "s3proxy.properties"
        self.process = Process(
            name="s3proxy",
            marker=f"-Dshouwen.home={home}",
            log=home / "logs" / "s3proxy.log",
            pid_file=home / "run" / "s3proxy.json",
            stop_seconds=5,
        )

    @property
    def url(self) -> str:
        """Address of its API."""
        return f"http://127.0.0.1:{self.port}"

    def add_bucket(self, name: str) -> Path:
        """Make a bucket; gives the folder that holds its contents."""
        folder = self.buckets / name
        folder.mkdir(parents=True)
        return folder

    def start(self) -> None:
        """Start the server; does not wait."""
        [jar] = jars("s3proxy", self._say)
        self.buckets.mkdir(exist_ok=True)
        settings = {
            "s3proxy.endpoint": self.url,
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": self.IDENTITY,
            "s3proxy.credential": self.CREDENTIAL,
            "jclouds.provider": "filesystem-nio2",
            "jclouds.filesystem.basedir": str(self.buckets),
        }
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        properties = ["--properties", str(self._settings)]
        command = [java(), HEAP, *SMALL, self.process.marker, "-jar", str(jar), *properties]
        self.process.start(command, own_environment())

    def wait_ready(self) -> None:
        """Wait until it answers."""
        self.process.wait_ready(self._answers, READY_SECONDS, every=0.2)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url, timeout=TIMEOUT_SECONDS).status_code == REFUSED
        except httpx.HTTPError:
            return False
