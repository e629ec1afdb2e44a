"""The API holds against requests that its own description allows, and against those it does not."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, CheckContext, GenerationMode, Response
from schemathesis.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.core.failures import Failure

from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.testing import Running, running

EXAMPLES = int(os.environ.get("SHOUWEN_FUZZ_EXAMPLES", "2"))
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
    document: dict[str, Any]
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
            document = (await intake.http.get("/api/openapi.json")).json()
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.05)
            yield Served(intake, f"http://127.0.0.1:{port}", document, numbers)
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


def operations(document: dict[str, Any]) -> list[APIOperation[Any, Any, Any, Any]]:
    """What the description says can be asked."""
    schema = schemathesis.openapi.from_dict(document)
    found: list[Any] = list(schema.get_all_operations())
    return [each.ok() for each in found]


@pytest.mark.req("I-01")
# schemathesis draws from the random module by itself; a run is repeated by its printed seed all the same.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_every_request_is_answered_as_the_description_says(served: Served, mode: GenerationMode) -> None:
    failures = await asyncio.to_thread(fuzz, served, mode)
    assert not failures, "\n\n".join(failures)


def fuzz(served: Served, mode: GenerationMode) -> list[str]:
    """Ask each operation a few times; gives what went wrong."""
    failures: list[str] = []
    for operation in operations(served.document):
        try:
            asked(served, operation, mode)
        except Unsatisfiable:
            continue  # an operation without parameters cannot be asked wrongly
        except (Exception, BaseExceptionGroup) as error:
            failures.append(f"{operation.label}\n{error}")
    return failures


def asked(served: Served, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
    """Ask one operation, mostly about a case that there is."""
    callers = [served.intake.token("bj.coordinator", branches, roles) for branches, roles in CALLERS.values()]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize="SHOUWEN_FUZZ_EXAMPLES" not in os.environ,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        number=st.sampled_from([*served.numbers, None]),
        caller=st.sampled_from(callers),
    )
    def ask(case: Case[Any], number: str | None, caller: dict[str, str]) -> None:
        if mode is GenerationMode.POSITIVE and number is not None and "number" in case.path_parameters:
            case.path_parameters["number"] = number
        case.call_and_validate(
            base_url=served.url,
            headers=caller,
            # What is right by its form may still be refused: a person is unknown, a state does not allow it.
            excluded_checks=[positive_data_acceptance, negative_data_rejection],
            additional_checks=[rejects_what_is_wrong],
            timeout=60,
        )

    ask()


def rejects_what_is_wrong(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """A wrong request is refused, unless all that is wrong are parameters nobody reads: HTTP lets those pass."""
    try:
        return negative_data_rejection(ctx, response, case)
    except Failure as failure:
        wrong = [line.strip() for line in str(failure).splitlines() if line.strip().startswith("- ")]
        if wrong and all(line.startswith(UNREAD) for line in wrong):
            return None
        raise


UNREAD = ("- query: violates `additionalProperties`", "- header: violates `required` (was Authorization)")
