"""Migrations go forward only, and an applied file never changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from shouwen.runtime import migrate
from shouwen.runtime.migrate import Migration, MigrationRefused, Roles
from shouwen.runtime.testing import Grounds, Infrastructure, grounds


@pytest.fixture
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    async with grounds(infrastructure, "notify") as one:
        yield one


async def test_migrations_run_once_and_may_run_again(ground: Grounds) -> None:
    url = ground.url("owner")
    assert len(await migrate.pending(url, ["ledger"])) == 2
    applied = await migrate.migrate(url, "notify", ["ledger"])
    assert applied == ["shouwen.runtime/0001_foundation", "ledger/0001_entry"]
    assert await migrate.migrate(url, "notify", ["ledger"]) == []
    assert await migrate.pending(url, ["ledger"]) == []


async def test_a_changed_file_is_refused(ground: Grounds) -> None:
    url = ground.url("owner")
    await migrate.migrate(url, "notify", ["ledger"])
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE schema_migration SET checksum = 'other' WHERE package = 'ledger'")
    with pytest.raises(MigrationRefused, match=r"ledger/0001_entry was changed after it had been applied"):
        await migrate.migrate(url, "notify", ["ledger"])
    await connection.execute("UPDATE schema_migration SET version = 9 WHERE package = 'ledger'")
    with pytest.raises(MigrationRefused, match=r"has migration 0009 of ledger, which this release lacks"):
        await migrate.migrate(url, "notify", ["ledger"])
    await connection.close()


async def test_a_failing_migration_leaves_nothing_behind(
    ground: Grounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken" / "sql" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "broken" / "__init__.py").touch()
    (folder / "0001_half.sql").write_text("CREATE TABLE half (id int); SELECT 1/0;")
    monkeypatch.syspath_prepend(str(tmp_path))
    url = ground.url("owner")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.migrate(url, "notify", ["broken"])
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    await connection.close()


async def test_provisioning_again_changes_nothing(ground: Grounds) -> None:
    await migrate.provision(ground.admin_url, "notify", ground.database)
    connection = await asyncpg.connect(ground.url("worker"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("CREATE TABLE mine (id int)")
    row = await connection.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    assert row is not None
    assert not row["rolsuper"]
    assert not row["rolbypassrls"]
    await connection.close()


async def test_the_app_role_cannot_read_events_or_dead_letters(ground: Grounds) -> None:
    await migrate.migrate(ground.url("owner"), "notify", ["ledger"])
    connection = await asyncpg.connect(ground.url("app"))
    for table in ("outbox", "inbox", "dead_letter"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT * FROM {table}")  # noqa: S608 (names of this test)
    await connection.close()


async def test_inbox_partitions_come_ahead_and_go_when_nothing_can_come_again(ground: Grounds) -> None:
    await migrate.migrate(ground.url("owner"), "notify", ["ledger"])
    owner = await asyncpg.connect(ground.url("owner"))
    worker = await asyncpg.connect(ground.url("worker"))

    async def partitions() -> set[str]:
        rows = await owner.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'inbox'::regclass"
        )
        return {row["name"] for row in rows}

    assert len(await partitions()) == 4
    insert = (
        "INSERT INTO inbox (source, event_id, event_time, handled_at) "
        "VALUES ('/t', $1, $2::text::timestamptz, $3::text::timestamptz)"
    )
    await owner.execute(insert, "old, handled long ago", "2001-05-05Z", "2001-05-05Z")
    await owner.execute(insert, "old, handled now", "2001-06-05Z", "2999-01-01Z")
    for month in ("2001-05-01Z", "2001-06-01Z"):
        await owner.execute("SELECT shouwen_inbox_create_partition($1::text::timestamptz)", month)
    assert {"inbox_2001_05", "inbox_2001_06"} <= await partitions()
    assert await owner.fetchval("SELECT count(*) FROM inbox_default") == 0
    gone = await worker.fetch("SELECT action, partition FROM shouwen_inbox_maintain(interval '400 days', 2)")
    assert [tuple(row) for row in gone] == [("dropped", "inbox_2001_05")]
    assert "inbox_2001_06" in await partitions()
    await owner.close()
    await worker.close()


def test_role_names_are_quoted_where_a_migration_names_them() -> None:
    migration = Migration("any", 1, "x", 'GRANT SELECT ON t TO :"app", :"worker";')
    assert migration.statements(Roles.of("sla")) == 'GRANT SELECT ON t TO "shouwen_sla_app", "shouwen_sla_worker";'
