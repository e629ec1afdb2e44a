"""The APIs hold: each service is asked rightly and wrongly by chance; intake is walked through answer by answer.

``FAULT_ROUNDS`` sets how much (1 by default; ``make faults`` takes more).
"""

import asyncio
import os
from collections.abc import Iterator

import httpx
import pytest
from schemathesis import GenerationMode
from support import temporary_home

from shouwen.contracts.catalogue import SERVICES, ServiceName
from shouwen.embedded.ports import Ports
from shouwen.embedded.suite import Suite
from shouwen.runtime.fuzzing import Target, fuzz, walk

pytestmark = [pytest.mark.fault, pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
STAFF = ("clerk", "manager", "department_head", "coordinator", "general_manager", "operator", "system")
GROUP = ("group_admin", "group_auditor", "operator")


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    """A suite of its own: what is fuzzed in disturbs nobody."""
    with temporary_home() as home, Suite(home, ports=Ports.free(), traces=False, say=print) as running:
        yield running


def target_of(suite: Suite, service: ServiceName) -> Target:
    """A service as staff of a branch and the group's people ask it."""
    callers = [
        suite.access.headers("bj.coordinator", ["beijing"], STAFF),
        suite.access.headers("group.admin", [], GROUP),
    ]
    return Target(suite.services[service].url, callers, {})


@pytest.mark.parametrize("service", [each for each in SERVICES if each != "intake"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_every_request_is_answered_as_the_description_says(
    suite: Suite, service: ServiceName, mode: GenerationMode
) -> None:
    target = target_of(suite, service)
    failures = await asyncio.to_thread(fuzz, target, mode, examples=2 * ROUNDS, repeatable=ROUNDS == 1)
    assert not failures, "\n\n".join(failures)


@pytest.mark.req("I-01")
async def test_a_walk_through_intake_meets_no_answer_that_is_not_described(suite: Suite) -> None:
    target = target_of(suite, "intake")
    asked = await asyncio.to_thread(walk, target, examples=2 * ROUNDS, steps=10 * ROUNDS)
    assert asked.total(), "not one request was answered well"
    async with httpx.AsyncClient(timeout=30) as http:
        ready = await http.get(f"{target.url}/health/ready")
    assert ready.status_code == 200, ready.text
