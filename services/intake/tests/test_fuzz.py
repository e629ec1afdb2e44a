"""The API holds against requests that its own description allows, and against those it does not."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import uvicorn
from schemathesis import GenerationMode

from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.fuzzing import Target, fuzz
from shouwen.runtime.testing import Running, running

FEW = 2
EXAMPLES = int(os.environ.get("SHOUWEN_FUZZ_EXAMPLES", str(FEW)))
"""Requests for each operation and way of making them; more by hand, as before a release."""
CLERKS = ("clerk", "manager", "department_head", "coordinator", "general_manager")
CALLERS = {
    "staff of a branch": (("beijing",), (*CLERKS, "operator", "system")),
    "the group": ((), ("group_admin", "group_auditor")),
}


@dataclass(frozen=True, slots=True)
class Served:
    """An intake that listens, with a few cases."""

    intake: Running
    url: str
    numbers: Sequence[str]


@pytest.fixture(scope="module")
async def served(
    infrastructure: Infrastructure, directory_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """An intake of its own: what is fuzzed in may not disturb other tests."""
    folder = tmp_path_factory.mktemp("fuzzed")
    async with running(
        create,
        IntakeSettings,
        infrastructure,
        directory_file=directory_file,
        attachments_url=folder.as_uri(),
        mail_addresses={"*": "beijing"},
        web_forms=True,
        public_attempts_per_address=100_000,
        public_attempts_per_number=100_000,
    ) as intake:
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(intake.service.app, port=port, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        try:
            numbers = [await registered(intake) for _ in range(3)]
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.05)
            yield Served(intake, f"http://127.0.0.1:{port}", numbers)
        finally:
            server.should_exit = True
            await serving


async def registered(intake: Running) -> str:
    """The number of a new case."""
    body = {
        "type": "complaint",
        "channel": "phone",
        "branch": "beijing",
        "subject": "工资",
        "description": "未到账",
        "requester": {"name": "李建国", "phone": "13810010001"},
    }
    headers = intake.token("bj.clerk") | {"Idempotency-Key": str(uuid4())}
    return (await intake.http.post("/api/cases", json=body, headers=headers)).json()["number"]


@pytest.mark.req("I-01")
@pytest.mark.timeout(900)  # two hundred operations, on whatever machine
# schemathesis draws from the random module by itself; a run is repeated by its printed seed all the same.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_every_request_is_answered_as_the_description_says(served: Served, mode: GenerationMode) -> None:
    callers = [served.intake.token("bj.coordinator", branches, roles) for branches, roles in CALLERS.values()]
    target = Target(served.url, callers, {"number": served.numbers})
    failures = await asyncio.to_thread(fuzz, target, mode, examples=EXAMPLES, repeatable=EXAMPLES == FEW)
    assert not failures, "\n\n".join(failures)
