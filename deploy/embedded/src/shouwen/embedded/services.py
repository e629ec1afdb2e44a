"""The services of the suite as processes, with the settings that the embedded default gives them."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from shouwen.contracts.catalogue import SERVICES, ServiceName
from shouwen.embedded.errors import LauncherError
from shouwen.embedded.process import Process, own_environment

READY_SECONDS = 180.0  # seconds on an idle machine; a busy one needs patience
STOP_SECONDS = 25.0
TIMEOUT_SECONDS = 2.0
# What an operator may set for all services from outside; all else is the launcher's to decide.
PASSED_ON = (
    "SHOUWEN_LOG_LEVEL",
    "SHOUWEN_DIRECTORY_FILE",
    "SHOUWEN_KAFKA_SECURITY_PROTOCOL",
    "SHOUWEN_KAFKA_SASL_MECHANISM",
    "SHOUWEN_KAFKA_SASL_USERNAME",
    "SHOUWEN_KAFKA_SASL_PASSWORD",
    "SHOUWEN_KAFKA_SSL_CAFILE",
    "SHOUWEN_SMTP_HOST",
    "SHOUWEN_SMTP_PORT",
    "SHOUWEN_SMTP_USERNAME",
    "SHOUWEN_SMTP_PASSWORD",
    "SHOUWEN_SMTP_STARTTLS",
    "SHOUWEN_MAIL_FROM",
    "SHOUWEN_PUBLIC_URL",
    "SHOUWEN_TRUSTED_PROXIES",
    "SSL_CERT_FILE",
)


def passed_on() -> dict[str, str]:
    """The settings of the caller's environment that reach the services."""
    return {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("OTEL_")}


def installed() -> tuple[ServiceName, ...]:
    """The services whose packages are in this environment."""
    return tuple(name for name in SERVICES if _is_installed(name))


def chosen(only: str | None) -> tuple[ServiceName, ...]:
    """The services that `--only` names, or all installed ones; an empty text names none.

    Raises:
        LauncherError: a name is unknown, or its package is not installed.
    """
    if only is None:
        return installed()
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in SERVICES:
            raise LauncherError(f"There is no service {name!r}", f"--only takes names of {', '.join(SERVICES)}")
        if not _is_installed(name):
            raise LauncherError(f"The service {name} is not installed", f"Install the package shouwen-{name}")
    return tuple(name for name in SERVICES if name in names)


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(f"shouwen.{name}.__main__") is not None
    except ModuleNotFoundError:
        return False


@dataclass(slots=True)
class ServiceProcess:
    """One service of one home."""

    name: ServiceName
    home: Path
    host: str
    port: int
    environment: dict[str, str]
    """All settings of the service; may be changed between a stop and a start."""
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        self.process = Process(
            name=self.name,
            # An option which Python ignores, so that the command line tells whose service this is.
            marker=f"shouwen_home={self.home}",
            log=self.home / "logs" / f"{self.name}.log",
            pid_file=self.home / "run" / f"{self.name}.json",
            stop_seconds=STOP_SECONDS,
        )

    @property
    def url(self) -> str:
        """Base address of the API."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104 - read, not bound
        return f"http://{host}:{self.port}"

    def start(self, extra: Mapping[str, str] | None = None) -> None:
        """Start the process, for this once with extra environment (as SHOUWEN_FAILPOINT); does not wait."""
        command = [sys.executable, "-P", "-X", self.process.marker, "-m", f"shouwen.{self.name}"]
        self.process.start(command, own_environment(PYTHONUNBUFFERED="1") | self.environment | dict(extra or {}))

    def wait_ready(self) -> None:
        """Wait until it is ready for requests and events."""
        self.process.wait_ready(self.is_ready, READY_SECONDS, every=0.1)

    def is_ready(self) -> bool:
        """What its own readiness check says now."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=TIMEOUT_SECONDS).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Stop it gracefully."""
        self.process.stop()

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
