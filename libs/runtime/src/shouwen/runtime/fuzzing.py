"""Requests by chance against a running service: every answer must be one that its own description allows.

Used by tests (extra ``testing``). ``fuzz`` asks each operation by itself; ``walk`` goes from answer to answer, as a
client does who creates something and then works on it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import APIOperation, Case, CheckContext, GenerationMode, Response
from schemathesis.checks import negative_data_rejection, positive_data_acceptance
from schemathesis.core.failures import Failure

TIMEOUT_SECONDS = 60
_UNREAD = ("- query: violates `additionalProperties`", "- header: violates `required` (was Authorization)")
_UNHEALTHY = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked.

    Args:
        url: where the service listens.
        callers: headers of those who ask, in turn.
        known: values of path parameters that exist, as numbers of cases; used in most of the right requests.
    """

    url: str
    callers: Sequence[Mapping[str, str]]
    known: Mapping[str, Sequence[str]]

    def document(self) -> dict[str, Any]:
        """The service's description of itself."""
        return httpx.get(f"{self.url}/api/openapi.json", timeout=TIMEOUT_SECONDS).raise_for_status().json()


def fuzz(target: Target, mode: GenerationMode, *, examples: int, repeatable: bool = True) -> list[str]:
    """Ask each operation, rightly or wrongly by its form; gives what went wrong, an entry for each operation.

    Args:
        target: what is asked.
        mode: right requests, or wrong ones.
        examples: requests for each operation, about.
        repeatable: the same requests each time; else others.
    """
    found: list[Any] = list(schemathesis.openapi.from_dict(target.document()).get_all_operations())
    failures: list[str] = []
    for operation in (each.ok() for each in found):
        try:
            _ask(target, operation, mode, examples=examples, repeatable=repeatable)
        except Unsatisfiable:
            continue  # an operation without parameters cannot be asked wrongly
        except (Exception, BaseExceptionGroup) as error:
            failures.append(f"{operation.label}\n{error}")
    return failures


def walk(target: Target, *, examples: int, steps: int) -> Counter[str]:
    """Go from answer to answer: what one operation gave is what the next is asked about.

    Returns:
        How often each operation was asked and answered well.

    Raises:
        Exception: what went wrong, with the way to it.
    """
    schema = schemathesis.openapi.from_dict(target.document())
    schema.config.update(base_url=target.url)
    caller = dict(target.callers[0])
    asked: Counter[str] = Counter()

    class Walk(schema.as_state_machine()):
        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            del case
            return {"headers": caller, "timeout": TIMEOUT_SECONDS}

        def validate_response(
            self, response: Response, case: Case[Any], additional_checks: Any = None, **options: Any
        ) -> None:
            del additional_checks, options
            asked[case.operation.label] += response.status_code < 300
            case.validate_response(
                response,
                excluded_checks=[positive_data_acceptance, negative_data_rejection],
                additional_checks=[_rejects_what_is_wrong],
                headers=caller,
            )

    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=_UNHEALTHY,
        ),
    )
    return asked


def _ask(
    target: Target,
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    *,
    examples: int,
    repeatable: bool,
) -> None:
    known = {name: st.sampled_from([*values, None]) for name, values in target.known.items()}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=repeatable,
        phases=(Phase.generate,),
        suppress_health_check=_UNHEALTHY,
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        caller=st.sampled_from(list(target.callers)),
        chosen=st.fixed_dictionaries(known),
    )
    def ask(case: Case[Any], caller: Mapping[str, str], chosen: Mapping[str, str | None]) -> None:
        if mode is GenerationMode.POSITIVE:
            for name, value in chosen.items():
                if value is not None and name in case.path_parameters:
                    case.path_parameters[name] = value
        case.call_and_validate(
            base_url=target.url,
            headers=dict(caller),
            # What is right by its form may still be refused: a person is unknown, a state does not allow it.
            excluded_checks=[positive_data_acceptance, negative_data_rejection],
            additional_checks=[_rejects_what_is_wrong],
            timeout=TIMEOUT_SECONDS,
        )

    ask()


def _rejects_what_is_wrong(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """A wrong request is refused, unless all that is wrong are parameters nobody reads: HTTP lets those pass."""
    try:
        return negative_data_rejection(ctx, response, case)
    except Failure as failure:
        wrong = [line.strip() for line in str(failure).splitlines() if line.strip().startswith("- ")]
        if wrong and all(line.startswith(_UNREAD) for line in wrong):
            return None
        raise
