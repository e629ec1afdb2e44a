"""How long searches take in a register of many cases, through intake's own API."""

import os
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Any

from bench.figures import p50_p95_ms
from bench.many_cases import Known, fill
from bench.report import Section, Table, circumstances
from bench.servers import bare_servers
from shouwen.embedded.postgres import dsn_of
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.intake.store.protection import Protection
from shouwen.runtime.testing import Running, running

SAMPLES = 40
WARM_UP = 5
PAGE = 50

Parameters = Mapping[str, Any]


async def measure(*, cases: int, command: str) -> Section:
    """Fill a register, then ask for each kind of thing, in turn, with other values each time."""
    at = circumstances()
    seconds: dict[str, list[float]] = {}
    found: dict[str, int] = {}
    with bare_servers() as servers:
        there = Infrastructure(servers.kafka_bootstrap, partial(dsn_of, servers.admin_dsn), None, None)
        async with running(create, IntakeSettings, there) as intake:
            service = intake.service
            await _branches(intake)
            protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
            begun = perf_counter()
            known = await fill(intake.owner_url, protection, cases=cases)
            filled = perf_counter() - begun
            size = (await intake.fetch("SELECT pg_size_pretty(pg_database_size(current_database())) AS size"))[0][
                "size"
            ]
            words = (await intake.fetch("SELECT pg_size_pretty(pg_total_relation_size('case_text')) AS size"))[0][
                "size"
            ]
            asked = _asked(known, random.Random(7))
            for turn in range(WARM_UP + SAMPLES):
                for what, parameters in asked.items():
                    spent, count = await _ask(intake, parameters())
                    if turn >= WARM_UP:
                        seconds.setdefault(what, []).append(spent)
                        found[what] = max(found.get(what, 0), count)
    rows = [[what, *(f"{ms:,.1f}" for ms in p50_p95_ms(each)), f"{found[what]}"] for what, each in seconds.items()]
    return Section(
        name="search",
        title=f"Searching among {cases:,} cases",
        command=command,
        tables=[Table(["GET /api/cases", "p50 ms", "p95 ms", "cases on the page, at most"], rows)],
        notes=[
            f"{SAMPLES} requests of each kind, one at a time, in turn, with other values each time; pages of {PAGE}. "
            "From the request to the answer in the service's own process (no TCP), over its app role with row-level "
            "security, on PostgreSQL with 64 MB of shared buffers.",
            f"The database has {size}, of which the index of words and its table {words}; filled in {filled:.0f} s.",
        ],
        figures={"cases": cases, "seconds": seconds},
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


def _asked(known: Known, chance: random.Random) -> dict[str, Callable[[], Parameters]]:
    span = known.ends - known.begins

    def some_month() -> Parameters:
        begins = known.begins + span * chance.random() * 0.95
        return {"received_from": begins.isoformat(), "received_to": (begins + timedelta(days=30)).isoformat()}

    def some_company() -> str:
        return chance.choice(known.companies)

    return {
        "(the newest)": dict,
        "branch of a tenth": lambda: {"branch": "shenzhen"},
        "state=received": lambda: {"state": "received", "branch": chance.choice(("beijing", "shenzhen"))},
        "type=report": lambda: {"type": "report"},
        "owner": lambda: {"owner": f"clerk{chance.randrange(200)}"},
        "owner and state": lambda: {"owner": f"clerk{chance.randrange(200)}", "state": "in_progress"},
        "department": lambda: {"department": f"department{chance.randrange(12)}"},
        "due_before (all that is open)": lambda: {"due_before": (known.ends + timedelta(days=9)).isoformat()},
        "due_before (overdue since long)": lambda: {"due_before": (known.ends - span / 2).isoformat()},
        "received in a month": some_month,
        "number, whole": lambda: {"number": chance.choice(known.numbers)},
        "number, its beginning": lambda: {"number": chance.choice(known.numbers)[:10]},
        "phone": lambda: {"phone": chance.choice(known.phones)},
        "client_identifier": lambda: {"client_identifier": chance.choice(known.identifiers)},
        "text: a word of every tenth case": lambda: {"text": chance.choice(("加班费", "工伤认定", "转移接续"))},
        "text: a company": lambda: {"text": some_company()},
        "text: a company and a word": lambda: {"text": f"{some_company()} 公积金"},
        "text: frequent words that rarely meet": lambda: {
            "text": f"{chance.randint(1, 12)}月 {chance.randint(1, 28)}日两次"
        },
        "text: in no case": lambda: {"text": f"查无此词{chance.randrange(1000)}"},
        "text: a company, in a state": lambda: {"text": some_company(), "state": "received"},
    }


async def _ask(intake: Running, parameters: Parameters) -> tuple[float, int]:
    headers = intake.token("auditor", (), ("group_auditor",))
    begun = perf_counter()
    answer = await intake.http.get("/api/cases", params={**parameters, "limit": PAGE}, headers=headers)
    spent = perf_counter() - begun
    answer.raise_for_status()
    return spent, len(answer.json()["items"])


async def _branches(intake: Running) -> None:
    await intake.fetch(
        "INSERT INTO branch (branch, name, number_prefix, time_zone, packs) VALUES "
        "('beijing', '北京', 'BJ', 'Asia/Shanghai', '{}'), ('chengdu', '成都', 'CD', 'Asia/Shanghai', '{}'), "
        "('shenzhen', '深圳', 'SZ', 'Asia/Shanghai', '{}')"
    )
