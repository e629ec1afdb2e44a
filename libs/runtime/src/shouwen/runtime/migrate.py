"""Forward-only migrations, and the roles and databases they need.

A package holds its migrations as ``sql/migrations/NNNN_name.sql``; they travel in its wheel. Those of this runtime
(inbox, outbox, dead letters, branch isolation) run before the service's own, each in a transaction, as the owner role.
An applied file never changes: a changed checksum is refused.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

RUNTIME = "shouwen.runtime"
_FILE = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_LOCK = 0x53_48_4F_55  # "SHOU": one migrator at a time per database
_ROLE_LOCK = _LOCK + 1

RoleKind = Literal["owner", "app", "worker"]

_CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    package    text        NOT NULL,
    version    integer     NOT NULL,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (package, version)
)"""


class MigrationRefused(Exception):
    """The database and the installed migrations do not fit together; the text says how."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The database roles of one service: ``owner`` migrates, ``app`` serves people, ``worker`` handles events."""

    owner: str
    app: str
    worker: str

    @classmethod
    def of(cls, service: str) -> "Roles":
        """The roles of a service, as ``shouwen_sla_app``."""
        return cls(*(f"shouwen_{service}_{kind}" for kind in ("owner", "app", "worker")))


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration file. ``checksum`` is the SHA-256 of its text."""

    package: str
    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, roles: Roles) -> str:
        """The text with ``:"owner"``, ``:"app"`` and ``:"worker"`` replaced by the quoted role names."""
        names = {"owner": roles.owner, "app": roles.app, "worker": roles.worker}
        return re.sub(r':"(owner|app|worker)"', lambda match: quoted(names[match[1]]), self.text)


def read(package: str) -> list[Migration]:
    """The migrations of a package, in their order; none when it has no such folder.

    Raises:
        MigrationRefused: two files have the same number, or a file's name does not fit ``NNNN_name.sql``.
    """
    folder = resources.files(package) / "sql" / "migrations"
    found: dict[int, Migration] = {}
    for file in folder.iterdir() if folder.is_dir() else ():
        if not file.name.endswith(".sql"):
            continue
        match = _FILE.fullmatch(file.name)
        if match is None:
            raise MigrationRefused(f"{package}: {file.name} is not named NNNN_name.sql")
        version = int(match["version"])
        if version in found:
            raise MigrationRefused(f"{package}: two migrations have the number {match['version']}")
        found[version] = Migration(package, version, match["name"], file.read_text(encoding="utf-8"))
    return [found[version] for version in sorted(found)]


async def migrate(url: str, service: str, packages: Sequence[str]) -> list[str]:
    """Bring a service's database to the installed version; safe to run from several processes at once.

    Args:
        url: database URL of the owner role.
        service: the service's name, from which the role names follow.
        packages: packages with migrations, besides the runtime's own, in their order.

    Returns:
        What was applied, as ``shouwen.sla/0001_clocks``.

    Raises:
        MigrationRefused: an applied file was changed or removed, or a new one is numbered below an applied one.
        asyncpg.PostgresError: a statement failed; that migration left nothing behind.
    """
    wanted = [migration for package in _with_runtime(packages) for migration in read(package)]
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_CREATE_TABLE)
        return await _apply(connection, wanted, Roles.of(service))
    finally:
        await connection.close(timeout=5)


async def pending(url: str, packages: Sequence[str]) -> list[str]:
    """Installed migrations that the database lacks; for a service that may not migrate itself."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        known = await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL")
        applied = await connection.fetch("SELECT package, version FROM schema_migration") if known else []
    finally:
        await connection.close(timeout=5)
    done = {(row["package"], row["version"]) for row in applied}
    wanted = [migration for package in _with_runtime(packages) for migration in read(package)]
    return [_label(each) for each in wanted if (each.package, each.version) not in done]


async def provision(
    admin_url: str, service: str, database: str, passwords: Mapping[RoleKind, str] | None = None
) -> None:
    """Create a service's three roles and its database, as far as they are missing; set the passwords that are given.

    Args:
        admin_url: database URL of a role that may create roles and databases.
        service: the service's name.
        database: the name of the database, usually ``shouwen_NAME``.
        passwords: by kind of role; a role without one keeps what it has.
    """
    roles = Roles.of(service)
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _ROLE_LOCK)
        kinds: tuple[RoleKind, ...] = ("owner", "app", "worker")
        for kind in kinds:
            await _create_role(connection, getattr(roles, kind), (passwords or {}).get(kind))
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database):
            # An administrator who is not a superuser has to be a member of the role that is to own the database.
            if not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'MEMBER')", roles.owner):
                await connection.execute(f"GRANT {quoted(roles.owner)} TO CURRENT_USER")
            await connection.execute(f"CREATE DATABASE {quoted(database)} OWNER {quoted(roles.owner)}")
        await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {quoted(database)} FROM PUBLIC")
        await connection.execute(
            f"GRANT CONNECT ON DATABASE {quoted(database)} TO {quoted(roles.app)}, {quoted(roles.worker)}"
        )
    finally:
        await connection.close(timeout=5)


def role_url(admin_url: str, service: str, kind: RoleKind, database: str, password: str | None = None) -> str:
    """The database URL of a service's role on the same server as ``admin_url``."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    login = getattr(Roles.of(service), kind) + (f":{quote(password, safe='')}" if password else "")
    return urlunsplit((parts.scheme, f"{login}@{host}", f"/{quote(database)}", parts.query, ""))


def quoted(identifier: str) -> str:
    """An SQL identifier in quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def _with_runtime(packages: Sequence[str]) -> list[str]:
    return [RUNTIME, *(package for package in packages if package != RUNTIME)]


def _label(migration: Migration) -> str:
    return f"{migration.package}/{migration.version:04}_{migration.name}"


async def _apply(
    connection: "asyncpg.Connection[asyncpg.Record]", wanted: Sequence[Migration], roles: Roles
) -> list[str]:
    rows = await connection.fetch("SELECT package, version, name, checksum FROM schema_migration")
    applied = {(row["package"], row["version"]): row for row in rows}
    for package in {each.package for each in wanted}:
        installed = {each.version for each in wanted if each.package == package}
        missing = sorted(version for name, version in applied if name == package and version not in installed)
        if missing:
            raise MigrationRefused(
                f"The database has migration {missing[0]:04} of {package}, which this release lacks: install the newer "
                "release again. Migrations only go forward."
            )
    done: list[str] = []
    for migration in wanted:
        row = applied.get((migration.package, migration.version))
        if row is not None:
            if row["checksum"] != migration.checksum:
                raise MigrationRefused(
                    f"{_label(migration)} was changed after it had been applied: restore the file and put the change "
                    "into a new migration."
                )
            continue
        latest = max((version for name, version in applied if name == migration.package), default=0)
        if migration.version < latest:
            raise MigrationRefused(f"{_label(migration)} is numbered below {latest:04}, which is applied: renumber it.")
        async with connection.transaction():
            await connection.execute(migration.statements(roles))
            await connection.execute(
                "INSERT INTO schema_migration (package, version, name, checksum) VALUES ($1, $2, $3, $4)",
                migration.package,
                migration.version,
                migration.name,
                migration.checksum,
            )
        done.append(_label(migration))
    return done


async def _create_role(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str | None) -> None:
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
        await connection.execute(f"CREATE ROLE {quoted(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS")
    if password is not None:
        # A statement of this kind takes no parameters; the server itself does the quoting.
        statement = await connection.fetchval(
            "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password
        )
        await connection.execute(statement)
