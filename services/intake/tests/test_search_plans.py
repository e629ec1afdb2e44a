"""How PostgreSQL carries out each search on a register that is not small: along indexes, under row-level security."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.domain.search import Search
from shouwen.intake.settings import IntakeSettings
from shouwen.intake.store import search as store
from shouwen.intake.store.search import Place, Statement
from shouwen.runtime.testing import Running, running

CASES = 20_000
LARGE = ("cases", "case_text", "case_deadline")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
RARE, FREQUENT = [1_000_001, 1_000_002], [1, 2]
SOME_CASE = UUID(int=int((NOW - timedelta(days=30)).timestamp() * 1000) << 80)

FILL = """
INSERT INTO cases (id, number, branch, type, channel, relation, state, received_at, registered_at, registrar, owner,
                   department, subject, description, requester_phone_hash, client_identifier_hash)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || lpad(to_hex(n), 20, '0'))::uuid,
       (ARRAY['BJ', 'CD', 'SZ'])[1 + n % 3] || '-2026-' || lpad(n::text, 6, '0'),
       (ARRAY['beijing', 'chengdu', 'shenzhen'])[1 + n % 3],
       (ARRAY['inquiry', 'complaint', 'suggestion', 'report'])[1 + n % 4], 'phone', 'other',
       CASE WHEN n % 100 = 0 THEN 'received' ELSE 'closed' END, at - interval '1 hour', at, 'clerk' || n % 50,
       'clerk' || n % 50, 'department' || n % 20, '\\x00', '\\x00', md5((n / 3)::text) || md5(''),
       md5((n / 10)::text) || md5('')
FROM (SELECT n, $2::timestamptz - ($1 - n) * interval '10 minutes' AS at FROM generate_series(1, $1::integer) AS n)
"""
FILL_TEXT = """
INSERT INTO case_text (case_id, branch, grams)
SELECT id, branch,
       ARRAY(SELECT DISTINCT (random() ^ 3 * 20000)::integer FROM generate_series(1, 40) WHERE id IS NOT NULL)
       || CASE WHEN right(number, 3) = '500' THEN ARRAY[1000001, 1000002] ELSE '{}' END || ARRAY[1, 2]
FROM cases
"""
FILL_DEADLINES = """
INSERT INTO case_deadline (clock_id, case_id, branch, due_at, open, told_at)
SELECT gen_random_uuid(), id, branch, registered_at + interval '1 day', state = 'received', registered_at
FROM cases CROSS JOIN generate_series(1, 2)
"""


@pytest.fixture(scope="module")
async def large(infrastructure: Infrastructure, directory_file: Path) -> AsyncIterator[Running]:
    """An intake with many cases, as the planner knows after ANALYZE."""
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as one:
        owner = await asyncpg.connect(one.owner_url)
        try:
            await owner.execute(FILL, CASES, NOW)
            await owner.execute(FILL_TEXT)
            await owner.execute(FILL_DEADLINES)
            for table in LARGE:
                await owner.execute(f"VACUUM ANALYZE {table}")
        finally:
            await owner.close()
        yield one


def searches() -> Mapping[str, tuple[Statement, set[str]]]:
    """What is asked, and the indexes that may lead to it."""

    def plain(search: Search, place: Place | None = None) -> Statement:
        return store.statement(search, place or Place(), 51)

    hash_ = "0" * 64
    month = Search(received_from=NOW - timedelta(days=60), received_to=NOW - timedelta(days=30))
    return {
        "all": (plain(Search()), {"cases_by_branch", "cases_pkey"}),
        "later page": (plain(Search(), Place(id=SOME_CASE)), {"cases_by_branch", "cases_pkey"}),
        "branch": (plain(Search(branch="beijing")), {"cases_by_branch", "cases_pkey"}),
        "type": (plain(Search(branch="beijing", type="report")), {"cases_by_branch", "cases_pkey"}),
        "state": (plain(Search(branch="beijing", state="received")), {"cases_by_state"}),
        "department": (plain(Search(branch="beijing", department="department7")), {"cases_by_department"}),
        "owner": (plain(Search(owner="clerk7")), {"cases_by_owner"}),
        "number": (plain(Search(number="BJ-2026-0012")), {"cases_number_key"}),
        "short number": (plain(Search(number="BJ")), {"cases_number_key"}),
        "client": (plain(Search(client_hash=hash_)), {"cases_by_client"}),
        "phone": (plain(Search(phone_hash=hash_)), {"cases_by_phone"}),
        "email": (plain(Search(email_hash=hash_)), {"cases_by_email"}),
        "received": (plain(month), {"cases_by_receipt"}),
        "received since": (plain(Search(received_from=NOW - timedelta(days=1))), {"cases_by_branch", "cases_pkey"}),
        "due": (plain(Search(due_before=NOW)), {"case_deadline_open"}),
        "due of an owner": (plain(Search(due_before=NOW, owner="clerk7")), {"cases_by_owner", "case_deadline_open"}),
        "recent words": (store.recent_words(Search(), Place(), 102, FREQUENT), {"cases_by_branch", "cases_pkey"}),
        "rare words": (store.words(Search(), Place(), 102, RARE), {"case_text_by_gram"}),
        "rare words in a state": (
            store.words(Search(state="received", branch="beijing"), Place(id=SOME_CASE), 102, RARE),
            {"case_text_by_gram"},
        ),
    }


@pytest.mark.parametrize("branches", ["beijing", "*"])
@pytest.mark.parametrize("asked", searches())
async def test_every_search_goes_along_its_index_and_reads_no_large_table_whole(
    large: Running, asked: str, branches: str
) -> None:
    statement, leads = searches()[asked]
    plan = await explain(large, statement, branches)
    nodes = list(nodes_of(plan))
    whole = [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE]
    assert not whole, json.dumps(plan, indent=1)
    used = {node["Index Name"] for node in nodes if "Index Name" in node}
    assert used & leads, f"{used} instead of {leads}"


async def test_words_of_other_branches_stay_hidden_although_the_index_is_used(large: Running) -> None:
    own = await rows(large, "SELECT DISTINCT branch FROM case_text_seen", "beijing")
    assert [row["branch"] for row in own] == ["beijing"]
    assert await rows(large, "SELECT branch FROM case_text_seen LIMIT 1", "") == []


async def explain(one: Running, statement: Statement, branches: str) -> Any:
    """The plan that the app role gets with these values."""
    [row] = await rows(one, f"EXPLAIN (FORMAT JSON) {statement.text}", branches, *statement.arguments)
    return json.loads(row[0])[0]["Plan"]


async def rows(one: Running, query: str, branches: str, *arguments: object) -> list[asyncpg.Record]:
    """What the app role sees with these branches."""
    connection = await asyncpg.connect(one.service.settings.database_url.get_secret_value())
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('shouwen.branches', $1, true)", branches)
            return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


def nodes_of(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A plan's node and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes_of(below)
