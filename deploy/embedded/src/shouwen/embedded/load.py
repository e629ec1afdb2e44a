"""``shouwen load``: registers and works a bounded number of matters, and keeps a ledger of what was acknowledged.

Used by the fault tests and the benchmarks. Whatever breaks meanwhile, a request is repeated with the same idempotency
key until it is answered, as a careful client would; the ledger says what the services then have to account for.
It stops by itself when the matters are done, or with ``LoadFailed`` when a request stays unanswered for ``patience``.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, time
from typing import Any
from uuid import UUID

import httpx

from shouwen.embedded import steps as staff
from shouwen.embedded.access import Access
from shouwen.embedded.steps import PREFIXES, Deed, Step

STEPS: tuple[tuple[Step, ...], ...] = (
    (),
    ("reply",),
    ("assign", "reply"),
    ("reply", "plan", "resolve"),
    ("reply", "resolve"),
    ("acknowledge", "offer", "accept", "reply", "resolve"),
    ("pause", "resume", "reply", "plan"),
    ("withdraw",),
)
RETRIED = (500, 502, 503, 504)
"""Answers after which the same request is sent again: the service or its database is not well."""


class LoadFailed(Exception):
    """A request was refused, or stayed unanswered for longer than the patience allows."""


@dataclass(slots=True)
class Load:
    """What is to be done, and what was done.

    ``late_share`` is the part of the matters that were received 26 hours ago, so that their day is already over;
    ``rate`` is matters per second, or None for as fast as they are answered. After ``matters`` it goes on for as long
    as ``goes_on`` says so: a fault test needs load until its last fault.
    """

    matters: int
    goes_on: Callable[[], bool] = lambda: False
    concurrency: int = 8
    seed: int = 1
    late_share: float = 0.2
    worked_share: float = 1.0
    patience: timedelta = timedelta(minutes=3)
    rate: float | None = None
    intents: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    latencies: list[float] = field(default_factory=list[float])
    repeated: int = 0
    started: float = 0
    seconds: float = 0

    def write(self, path: Path) -> None:
        """Write the ledger, one JSON object a line."""
        path.write_text("".join(json.dumps(intent) + "\n" for intent in self.intents), encoding="utf-8")


async def run(access: Access, load: Load) -> None:
    """Do the load.

    Raises:
        LoadFailed: see the class.
    """
    queue = enumerate(_script(load))
    load.started = perf_counter()
    limits = httpx.Limits(max_connections=load.concurrency, max_keepalive_connections=load.concurrency)
    async with httpx.AsyncClient(timeout=30, limits=limits) as http:

        async def worker() -> None:
            for number, (matter, steps, key) in queue:
                if load.rate:
                    await asyncio.sleep(max(0, load.started + number / load.rate - perf_counter()))
                await _one(access, http, load, matter, steps, key)

        async with asyncio.TaskGroup() as group:
            for _ in range(load.concurrency):
                group.create_task(worker())
    load.seconds = perf_counter() - load.started


def _script(load: Load) -> Iterator[tuple[dict[str, Any], Sequence[Step], str]]:
    """Matter, steps and idempotency key of each registration; the same for the same seed, but for the times."""
    chance = random.Random(load.seed)  # noqa: S311 - a repeatable script, not a secret
    done = 0
    while done < load.matters or load.goes_on():
        done += 1
        yield _matter(chance, load), _steps(chance, load), str(UUID(int=chance.getrandbits(128)))


def _matter(chance: random.Random, load: Load) -> dict[str, Any]:
    branch = chance.choice(sorted(PREFIXES))
    received = datetime.now(UTC) - (timedelta(hours=26) if chance.random() < load.late_share else timedelta(minutes=5))
    serial = chance.randrange(10**8)
    matter: dict[str, Any] = {
        "type": chance.choice(("complaint", "complaint", "inquiry", "suggestion", "report")),
        "channel": chance.choice(("phone", "letter", "visit", "email", "web_form")),
        "branch": branch,
        "subject": f"压测事项 {serial}",
        "description": "由压测登记，核对从登记到通知的全过程。",
        "received_at": received.isoformat(),
        "requester": {"name": "测试", "phone": f"138{serial:08d}", "relation": "dispatched_employee"},
    }
    if chance.random() < 0.5:
        matter["client"] = {"name": f"压测客户{serial % 997}有限公司", "identifier": f"LOAD{serial % 997:014d}"}
    return matter


def _steps(chance: random.Random, load: Load) -> Sequence[Step]:
    return chance.choice(STEPS) if chance.random() < load.worked_share else ()


async def _one(
    access: Access, http: httpx.AsyncClient, load: Load, matter: dict[str, Any], steps: Sequence[Step], key: str
) -> None:
    prefix = PREFIXES[matter["branch"]]
    clerk = access.headers(f"{prefix}.clerk", [matter["branch"]], ["clerk"])
    start, posted_at = perf_counter(), time()
    url = f"{access.url('intake')}/api/cases"
    response, _ = await _answered(http, load, "POST", url, matter, clerk | {"Idempotency-Key": key})
    load.latencies.append(perf_counter() - start)
    if response.status_code not in (200, 201):
        raise LoadFailed(f"registering was answered {response.status_code}: {response.text[:500]}")
    case = response.json()
    # posted_at, in seconds since 1970: from when the benchmarks count until an effect is seen on the bus.
    known = {name: case[name] for name in ("id", "number", "state", "trace_id")}
    intent = {**known, "type": matter["type"], "posted_at": posted_at}
    load.intents.append(intent)
    for step in steps:
        intent["state"] = await _work(access, http, load, case["number"], staff.deed(step, matter["branch"]), matter)


async def _work(
    access: Access, http: httpx.AsyncClient, load: Load, number: str, deed: Deed, matter: Mapping[str, Any]
) -> str:
    headers = access.headers(deed.person, [matter["branch"]], [deed.role])
    base = f"{access.url('intake')}/api/cases/{number}"
    response, repeated = await _answered(http, load, "POST", f"{base}/{deed.path}", deed.body, headers)
    if response.status_code == 409 and repeated:
        # The first sending was done although its answer was lost; what counts is the state now.
        response, _ = await _answered(http, load, "GET", base, None, headers)
    if response.status_code != 200:
        raise LoadFailed(f"{deed.path} of {number} was answered {response.status_code}: {response.text[:500]}")
    return response.json()["state"]


async def _answered(
    http: httpx.AsyncClient, load: Load, method: str, url: str, body: object, headers: dict[str, str]
) -> tuple[httpx.Response, bool]:
    deadline = perf_counter() + load.patience.total_seconds()
    repeated = False
    while True:
        try:
            response = await http.request(method, url, json=body, headers=headers)
            if response.status_code not in RETRIED:
                return response, repeated
            problem = f"{response.status_code} {response.text[:200]}"
        except httpx.TransportError as error:
            problem = repr(error)
        if perf_counter() > deadline:
            raise LoadFailed(f"{method} {url} stayed unanswered: {problem}")
        repeated = True
        load.repeated += 1
        await asyncio.sleep(0.2)
