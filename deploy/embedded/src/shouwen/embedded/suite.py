"""The whole suite of one home: what is started in which order, watched, and stopped in reverse.

The command `shouwen up` and the tests of faults use the same class:

    with Suite(Home(path), ports=Ports.free()) as suite:
        suite.services["sla"].kill()
        suite.restart("sla", SHOUWEN_FAILPOINT="ticker.before_commit@3")
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import urlsplit, urlunsplit

from shouwen.contracts.catalogue import ServiceName
from shouwen.embedded import asynchronous, ports, provisioning, services, tokens
from shouwen.embedded.access import Access
from shouwen.embedded.errors import LauncherError
from shouwen.embedded.home import Home, State
from shouwen.embedded.kafka import Kafka
from shouwen.embedded.mailbox import Mailbox
from shouwen.embedded.maven import jars
from shouwen.embedded.ports import Ports
from shouwen.embedded.postgres import Postgres
from shouwen.embedded.process import Process
from shouwen.embedded.secrets import Secrets
from shouwen.embedded.services import ServiceProcess
from shouwen.embedded.zipkin import Zipkin

WATCH_SECONDS = 0.5
FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A server that ran this long starts again without a wait, should it stop."""


def quiet(_line: str) -> None:
    """Say nothing."""


class Server(Protocol):
    """Anything that the suite starts."""

    @property
    def process(self) -> Process:
        """The server's process."""
        ...

    def start(self) -> None:
        """Start without waiting."""
        ...

    def wait_ready(self) -> None:
        """Wait until it can be used."""
        ...

    def stop(self) -> None:
        """Stop cleanly."""
        ...


@dataclass(slots=True)
class _Watched:
    """When a server started, and how long to wait before it is started again."""

    server: Server
    started: float
    backoff: float = FIRST_BACKOFF_SECONDS
    due: float | None = None


@dataclass(slots=True)
class Suite:
    """A suite on one home. The arguments are those of `shouwen up`."""

    home: Home
    only: Sequence[ServiceName] | None = None
    """Services to start; all installed ones by default, none when empty."""
    ports: Ports = field(default_factory=Ports)
    external_kafka: str | None = None
    external_postgres: str | None = None
    traces: bool = True
    host: str = "127.0.0.1"
    stream_prefix: str = ""
    environment: Mapping[ServiceName, Mapping[str, str]] = field(default_factory=dict[ServiceName, Mapping[str, str]])
    """Extra settings per service, for every start."""
    say: Callable[[str], None] = quiet

    kafka: Kafka | None = field(default=None, init=False)
    postgres: Postgres | None = field(default=None, init=False)
    zipkin: Zipkin | None = field(default=None, init=False)
    mailbox: Mailbox | None = field(default=None, init=False)
    services: dict[str, ServiceProcess] = field(default_factory=dict[str, ServiceProcess], init=False)
    state: State = field(init=False)
    _secrets: Secrets = field(init=False)
    _watched: list[_Watched] = field(default_factory=list[_Watched], init=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def kafka_bootstrap(self) -> str:
        """Address of the broker, own or given."""
        return self.external_kafka or f"127.0.0.1:{self.ports.kafka}"

    def admin_dsn(self) -> str:
        """Connection of a role that may create databases and roles."""
        if self.external_postgres:
            return self.external_postgres
        assert self.postgres is not None
        return self.postgres.dsn()

    @property
    def access(self) -> Access:
        """Where the services answer, and tokens to ask them with."""
        return Access(self.state, self._secrets)

    def start(self) -> None:
        """Start everything and wait until it can be used; on failure nothing keeps running.

        Raises:
            LauncherError: something cannot be started; names it and the remedy.
        """
        begun = time.monotonic()
        self._check_host()
        self.home.create()
        self.home.lock()
        try:
            if leftovers := self.stop_leftovers():
                self.say(f"Stopped what an earlier launcher left behind: {', '.join(leftovers)}")
            self._plan()
            self._start_infrastructure()
            self._start_services()
            self._write_state()
        except BaseException:
            self.stop()
            raise
        self.say(f"Ready after {time.monotonic() - begun:.1f} s")

    def stop(self) -> None:
        """Stop everything in reverse order: the services, then what they use."""
        self._watched.clear()
        self.home.state_file.unlink(missing_ok=True)
        running = [service.process for service in self.services.values() if service.process.running]
        for process in running:  # all are asked at once, then awaited
            process.send(process.stop_signal)
        for process in running:
            process.wait_stopped(process.stop_seconds)
        for server in (self.mailbox, self.zipkin, self.kafka, self.postgres):
            if server is not None:
                server.stop()
        self.home.unlock()

    def restart(self, name: str, **extra: str) -> None:
        """Stop one service if it runs, start it, for this once with extra environment, and wait until it is ready."""
        service = self.services[name]
        service.stop()
        service.start(extra)
        service.wait_ready()

    def watch(self, seconds: float | None = None) -> None:
        """Start again what stops by itself, after a growing wait; returns after the given time, or never."""
        end = None if seconds is None else time.monotonic() + seconds
        self._watched = [_Watched(server, time.monotonic()) for server in self._servers()]
        while end is None or time.monotonic() < end:
            for watched in self._watched:
                self._revive(watched)
            time.sleep(WATCH_SECONDS)

    def _revive(self, watched: _Watched) -> None:
        process, now = watched.server.process, time.monotonic()
        if process.running:
            if now - watched.started > STEADY_SECONDS:
                watched.backoff = FIRST_BACKOFF_SECONDS
            return
        if watched.due is None:
            watched.due = now + watched.backoff
            self.say(
                f"{process.name} stopped by itself with exit code {process.exit_code}; "
                f"it starts again in {watched.backoff:.0f} s. Its log: {process.log}"
            )
        elif now >= watched.due:
            watched.due = None
            watched.backoff = min(watched.backoff * 2, LONGEST_BACKOFF_SECONDS)
            watched.started = now
            try:
                watched.server.start()
            except (LauncherError, OSError) as error:
                self.say(f"{process.name} cannot be started: {error}")
            else:
                self.say(f"{process.name} started again (process {process.pid})")

    def _servers(self) -> list[Server]:
        infrastructure: list[Server | None] = [self.postgres, self.kafka, self.zipkin, self.mailbox]
        return [server for server in (*infrastructure, *self.services.values()) if server is not None]

    def _check_host(self) -> None:
        own_provider = "SHOUWEN_OIDC_ISSUER" in os.environ and "SHOUWEN_OIDC_JWKS_URL" in os.environ
        if not tokens.is_loopback(self.host) and not own_provider:
            raise LauncherError(
                f"The evaluation sign-in is for this machine alone; --host {self.host} would open it to others",
                "Name your OIDC provider in SHOUWEN_OIDC_ISSUER and SHOUWEN_OIDC_JWKS_URL, or leave --host out",
            )

    def stop_leftovers(self) -> list[str]:
        """Stop what a killed launcher left running on this home, services first. Returns their names."""
        self.home.state_file.unlink(missing_ok=True)
        found = [process for file in self.home.run.glob("*.json") if (process := Process.noted(self.home.path, file))]
        last = ("mailbox", "zipkin", "kafka", "postgres")
        found.sort(key=lambda one: last.index(one.name) if one.name in last else -1)
        return [process.name for process in found if process.stop_leftover()]

    def _plan(self) -> None:
        path = self.home.path
        names = services.installed() if self.only is None else tuple(self.only)
        self._secrets = Secrets(self.home.secrets)
        self.postgres = None if self.external_postgres else Postgres(path, self._secrets.password("shouwen_admin"))
        self.kafka = (
            None if self.external_kafka else Kafka(path, self.ports.kafka, self.ports.kafka_controller, self.say)
        )
        self.zipkin = Zipkin(path, self.ports.zipkin, self.say) if self.traces else None
        self.mailbox = Mailbox(path, self.ports.mailbox) if "notify" in names else None
        wanted = [*names, *(["mailbox"] if self.mailbox else []), *(["zipkin"] if self.zipkin else [])]
        ports.require_free(self.ports, [*wanted, *(["kafka", "kafka_controller"] if self.kafka else [])], self.host)
        self.services = {}
        for name in names:
            settings = self._settings(name)
            self.services[name] = ServiceProcess(name, path, self.host, self.ports.of(name), settings)

    def _start_infrastructure(self) -> None:
        servers = [server for server in self._servers() if not isinstance(server, ServiceProcess)]
        # All downloads first: what is up already need not wait for them, and a failed one stops nothing.
        if self.kafka:
            jars("kafka", self.say)
        if self.zipkin:
            jars("zipkin", self.say)
        for server in servers:
            if server is not self.zipkin:  # it starts beside the services, which need not wait for it
                server.start()
        for server in servers:
            if server is not self.zipkin:
                self._wait(server)
        begun = time.monotonic()
        asynchronous.run(
            provisioning.provision(
                self.admin_dsn(), self.kafka_bootstrap, self.stream_prefix, list(self.services), self._secrets
            )
        )
        self.say(f"databases and topics ready ({time.monotonic() - begun:.1f} s)")

    def _start_services(self) -> None:
        for service in self.services.values():
            service.start()
        if self.zipkin:
            self.zipkin.start()
        for service in self.services.values():
            self._wait(service)
        if self.zipkin:
            self._wait(self.zipkin)

    def _wait(self, server: Server) -> None:
        server.wait_ready()
        self.say(f"{server.process.name} ready ({server.process.age():.1f} s)")

    def _settings(self, name: ServiceName) -> dict[str, str]:
        key_set = self.home.path / "jwks.json"
        tokens.write_key_set(self._secrets, key_set)
        own_provider = {
            variable: os.environ[variable]
            for variable in ("SHOUWEN_OIDC_ISSUER", "SHOUWEN_OIDC_JWKS_URL", "SHOUWEN_OIDC_AUDIENCE")
            if variable in os.environ
        }
        identity = (
            own_provider
            if "SHOUWEN_OIDC_JWKS_URL" in own_provider
            else {
                "SHOUWEN_OIDC_ISSUER": tokens.ISSUER,
                "SHOUWEN_OIDC_AUDIENCE": tokens.AUDIENCE,
                "SHOUWEN_OIDC_JWKS_FILE": str(key_set),
            }
        )
        settings = {
            "SHOUWEN_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "SHOUWEN_STREAM_PREFIX": self.stream_prefix,
            "SHOUWEN_HTTP_HOST": self.host,
            "SHOUWEN_HTTP_PORT": str(self.ports.of(name)),
            "SHOUWEN_PRIVACY_KEYS": self._secrets.key_ring(name),
            "SHOUWEN_PRIVACY_HASH_KEY": self._secrets.key("privacy_hash_key"),
            "SHOUWEN_SEAL_KEY": self._secrets.key("seal_key"),
            "SHOUWEN_DIRECTORY_FILE": str(evaluation_directory()),
            **provisioning.database_settings(self.admin_dsn(), name, self._secrets),
            **identity,
        }
        if self.zipkin:
            settings |= {
                "OTEL_TRACES_EXPORTER": "zipkin_json",
                "OTEL_EXPORTER_ZIPKIN_ENDPOINT": self.zipkin.spans_url,
            }
        if name == "intake":
            settings["SHOUWEN_ATTACHMENTS_URL"] = (self.home.path.resolve() / "files").as_uri()
            settings["SHOUWEN_WEB_FORMS"] = "true"
            settings["SHOUWEN_PUBLIC_URL"] = f"http://{self.host}:{self.ports.intake}"
        if self.mailbox and name == "notify":
            settings |= {
                "SHOUWEN_INTAKE_URL": f"http://{self.host}:{self.ports.intake}",
                "SHOUWEN_SLA_URL": f"http://{self.host}:{self.ports.sla}",
                "SHOUWEN_SMTP_HOST": "127.0.0.1",
                "SHOUWEN_SMTP_PORT": str(self.mailbox.port),
                "SHOUWEN_MAIL_FROM": "shouwen@example.com",
                "SHOUWEN_MAILBOX_DIR": str(self.mailbox.folder),
            }
        return settings | services.passed_on() | dict(self.environment.get(name, {}))

    def _write_state(self) -> None:
        evaluation = "SHOUWEN_OIDC_JWKS_URL" not in os.environ
        self.state = State(
            home=str(self.home.path),
            launcher=os.getpid(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            host=self.host,
            issuer=tokens.ISSUER if evaluation else os.environ.get("SHOUWEN_OIDC_ISSUER", ""),
            evaluation=evaluation,
            kafka=self.kafka_bootstrap,
            stream_prefix=self.stream_prefix,
            postgres=_without_password(self.admin_dsn()),
            postgres_data=str(self.postgres.data) if self.postgres else None,
            services={name: service.url for name, service in self.services.items()},
            zipkin=self.zipkin.url if self.zipkin else None,
            mailbox=str(self.mailbox.folder) if self.mailbox else None,
            smtp=f"127.0.0.1:{self.mailbox.port}" if self.mailbox else None,
        )
        self.home.write(self.state)


def evaluation_directory() -> Path:
    """The directory file of the evaluation: three branches with invented people."""
    return Path(str(files("shouwen.embedded").joinpath("evaluation", "directory.yaml")))


def _without_password(dsn: str) -> str:
    parts = urlsplit(dsn)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}@{host}"))
