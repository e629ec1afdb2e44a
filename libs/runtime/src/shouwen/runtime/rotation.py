"""Key rotation: bring every encrypted field of a database under the current key of the ring, beside all other work.

By the rule of the migrations, ``bytea`` columns of a service's own tables hold encrypted fields; what a ring did not
write (salts, hashes) is left alone. Rows are taken some pages at a time and changed only if nobody else changed them
meanwhile; the passes go on until one finds nothing left. It can be stopped at any time and begun again.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from shouwen.runtime.migrate import quoted
from shouwen.runtime.privacy import KeyRing

PAGES_AT_ONCE = 16
"""Pages of 8 kB read and changed in one transaction: some hundred rows."""
NOT_OURS = ("inbox", "outbox", "dead_letter", "schema_migration")
"""Tables of the runtime, which hold no encrypted fields."""
NOT_ENCRYPTED = ("salt", "hash")
"""Names of columns that hold other bytes."""

_KEY_ID = re.compile(rb"^([A-Za-z0-9._-]{1,32}):")

_COLUMNS = """
SELECT class.relname AS relation, array_agg(attribute.attname::text ORDER BY attribute.attnum) AS names
FROM pg_class AS class JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
WHERE class.relkind = 'r' AND class.relnamespace = current_schema()::regnamespace
    AND attribute.atttypid = 'bytea'::regtype AND NOT attribute.attisdropped
    AND class.relname <> ALL ($1::text[]) AND attribute.attname <> ALL ($2::text[])
GROUP BY class.relname ORDER BY class.relname
"""


@dataclass(slots=True)
class Rotated:
    """What a rotation did: fields brought under the current key, by table, and key ids that are not in the ring."""

    fields: dict[str, int] = field(default_factory=dict[str, int])
    unknown_keys: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def is_complete(self) -> bool:
        """Whether all keys but the current one may be taken out of the ring."""
        return not self.unknown_keys


async def rotate(url: str, keys: KeyRing, *, say: Callable[[str], None] = lambda _: None) -> Rotated:
    """Re-encrypt all fields of a database that are under another key of the ring than the current one.

    Args:
        url: database URL of the owner role, whom row-level security does not concern.
        keys: the ring; its first key is current.
        say: told of each table that is done.
    """
    connection = await asyncpg.connect(url, timeout=10)
    done = Rotated()
    try:
        for row in await connection.fetch(_COLUMNS, NOT_OURS, NOT_ENCRYPTED):
            await _rotate_table(connection, row["relation"], row["names"], keys, done)
            say(f"{row['relation']}: {done.fields.get(row['relation'], 0)} fields re-encrypted")
    finally:
        await connection.close()
    return done


async def _rotate_table(
    connection: "asyncpg.Connection[asyncpg.Record]", table: str, names: Sequence[str], keys: KeyRing, done: Rotated
) -> None:
    while True:
        missed, unknown, page = 0, dict[str, int](), 0
        while page < await _pages(connection, table):
            missed += await _rotate_pages(connection, table, names, page, keys, done, unknown)
            page += PAGES_AT_ONCE
        if not missed:
            break
    for key_id, count in unknown.items():
        done.unknown_keys[key_id] = done.unknown_keys.get(key_id, 0) + count


async def _rotate_pages(
    connection: "asyncpg.Connection[asyncpg.Record]",
    table: str,
    names: Sequence[str],
    page: int,
    keys: KeyRing,
    done: Rotated,
    unknown: dict[str, int],
) -> int:
    """Re-encrypt what lies on some pages; how many rows others were changing meanwhile."""
    columns = ", ".join(map(quoted, names))
    sets = ", ".join(f"{quoted(name)} = ${place}" for place, name in enumerate(names, start=2))
    missed = 0
    async with connection.transaction():
        rows = await connection.fetch(
            f"SELECT ctid, {columns} FROM {quoted(table)} WHERE ctid >= $1 AND ctid < $2",  # noqa: S608 (from the catalogue)
            (page, 0),
            (page + PAGES_AT_ONCE, 0),
        )
        for row in rows:
            values = [row[name] for name in names]
            fresh = [_fresh(value, keys, unknown) for value in values]
            changed = sum(new is not old for new, old in zip(fresh, values, strict=True))
            if not changed:
                continue
            # A row that somebody has changed since is no longer at this place, so nothing of theirs is overwritten.
            tag = await connection.execute(f"UPDATE {quoted(table)} SET {sets} WHERE ctid = $1", row["ctid"], *fresh)  # noqa: S608
            if tag == "UPDATE 1":
                done.fields[table] = done.fields.get(table, 0) + changed
            else:
                missed += 1
    return missed


def _fresh(value: bytes | None, keys: KeyRing, unknown: dict[str, int]) -> bytes | None:
    match = _KEY_ID.match(value) if value is not None else None
    if value is None or match is None or keys.is_current(value):
        return value
    key_id = match[1].decode()
    if not keys.has(key_id):
        unknown[key_id] = unknown.get(key_id, 0) + 1
        return value
    return keys.encrypt(keys.decrypt(value))


async def _pages(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> int:
    size: int = await connection.fetchval("SELECT pg_relation_size($1::regclass)", quoted(table))
    return -(-size // 8192)
