"""The folder that holds everything of one suite: data, secrets, logs, mailbox, pid files and the state file."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from shouwen.embedded.errors import LauncherError

DEFAULT = ".shouwen"


@dataclass(frozen=True, slots=True)
class State:
    """What runs, for the commands that come from another terminal; holds no secret."""

    home: str
    launcher: int
    started_at: str
    host: str
    issuer: str
    evaluation: bool
    """Whether the services trust the evaluation tokens of this home."""
    kafka: str
    stream_prefix: str
    postgres: str
    """Connection without password, for people."""
    services: Mapping[str, str] = field(default_factory=dict[str, str])
    """Base URL per service."""
    postgres_data: str | None = None
    zipkin: str | None = None
    mailbox: str | None = None
    smtp: str | None = None


class Home:
    """A home folder on this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    @classmethod
    def chosen(cls, given: str | None) -> "Home":
        """The folder given, else `SHOUWEN_HOME`, else `.shouwen` in the current folder."""
        return cls(Path(given or os.environ.get("SHOUWEN_HOME") or DEFAULT))

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Pid files, sockets and generated configuration of the running servers."""
        return self.path / "run"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, readable by the owner alone."""
        return self.path / "secrets"

    @property
    def mailbox(self) -> Path:
        """Maildir that the local mail receiver fills."""
        return self.path / "mailbox"

    @property
    def state_file(self) -> Path:
        """Where the running suite says what runs."""
        return self.path / "state.json"

    def create(self) -> None:
        """Make the folders that do not exist yet."""
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                # Started by root, others may pass, not look: PostgreSQL's account must reach its folder.
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for folder in (self.logs, self.run, self.secrets):
                folder.mkdir(exist_ok=True)
            self.secrets.chmod(0o700)
            self.logs.chmod(0o700)
            (self.path / ".gitignore").write_text("*\n")
        except OSError as error:
            raise LauncherError(
                f"The home folder {self.path} cannot be used: {error.strerror}", "Choose another with --home DIR"
            ) from None

    def lock(self) -> None:
        """Claim the home for this launcher until it ends, however it ends.

        Raises:
            LauncherError: another launcher runs on it.
        """
        file = (self.run / "launcher.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip()
            file.close()
            raise LauncherError(
                f"A suite already runs on {self.path} (launcher process {owner or 'unknown'})",
                "See it with `shouwen status`, stop it with `shouwen down`; --home and --port-base start another",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file

    def unlock(self) -> None:
        """Give the home free."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def launcher(self) -> psutil.Process | None:
        """The launcher that holds the lock now, if one does."""
        try:
            with (self.run / "launcher.lock").open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return psutil.Process(int(file.read()))
        except (OSError, ValueError, psutil.Error):
            pass
        return None

    def write(self, state: State) -> None:
        """Say what runs."""
        temporary = self.state_file.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(state), indent=2, ensure_ascii=False) + "\n")
        temporary.replace(self.state_file)

    def read(self) -> State:
        """What runs.

        Raises:
            LauncherError: nothing runs on this home.
        """
        if self.launcher() is None:
            raise LauncherError(f"No suite runs on {self.path}", "Start one with `shouwen up`, or name its --home DIR")
        try:
            content: dict[str, Any] = json.loads(self.state_file.read_text())
            return State(**content)
        except FileNotFoundError:
            raise LauncherError(f"The suite on {self.path} is still starting", "Try again in a moment") from None
        except (ValueError, TypeError):
            raise LauncherError(
                f"{self.state_file} was written by another version", "Stop that suite and start it anew"
            ) from None
