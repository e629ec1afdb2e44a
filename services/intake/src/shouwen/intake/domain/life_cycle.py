"""The life cycle of a case as a table: which command leads from which state to which. What is not in it is refused.

The spine is ISO 10002: receipt, acknowledgement, assignment, investigation, response, resolution, closing. The picture
in docs/life-cycle.md is drawn from this table.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from shouwen.contracts.case import CaseState

Command = Literal[
    "acknowledge",
    "assign",
    "offer",
    "accept",
    "plan",
    "pause",
    "resume",
    "reply",
    "promise",
    "reclassify",
    "split",
    "find_malicious",
    "resolve",
    "close",
    "withdraw",
    "merge",
    "link",
    "reopen",
]

STATES: tuple[CaseState, ...] = get_args(CaseState)

OPEN_STATES: frozenset[CaseState] = frozenset(
    {"received", "acknowledged", "assigned", "in_progress", "pending", "responded"}
)
"""While a case is in one of these, somebody is responsible for it."""

ENDED_STATES: frozenset[CaseState] = frozenset(STATES) - OPEN_STATES


def _to(state: CaseState, sources: Iterable[CaseState]) -> dict[CaseState, CaseState]:
    return dict.fromkeys(_in_order(sources), state)


def _staying(states: Iterable[CaseState]) -> dict[CaseState, CaseState]:
    return {state: state for state in _in_order(states)}


def _in_order(states: Iterable[CaseState]) -> list[CaseState]:
    return sorted(states, key=STATES.index)


_WAITING_OR_ANSWERED: dict[CaseState, CaseState] = {"pending": "pending", "responded": "responded"}
"""Work that goes on beside a wait does not end the wait, and work after the answer does not take the answer back."""

_PASSED_ON: dict[CaseState, CaseState] = {
    **_to("assigned", ("received", "acknowledged", "assigned")),
    "in_progress": "in_progress",
    **_WAITING_OR_ANSWERED,
}

LIFE_CYCLE: Mapping[Command, Mapping[CaseState, CaseState]] = {
    "acknowledge": {"received": "acknowledged", **_staying(OPEN_STATES - {"received"})},
    "assign": _PASSED_ON,
    "offer": _staying(OPEN_STATES),
    "accept": _PASSED_ON,
    "plan": {**_to("in_progress", OPEN_STATES), **_WAITING_OR_ANSWERED},
    "pause": _to("pending", OPEN_STATES - {"pending"}),
    "resume": {"pending": "in_progress"},
    "reply": {**_to("responded", OPEN_STATES), "pending": "pending"},
    "promise": _staying(OPEN_STATES),
    "reclassify": _staying(OPEN_STATES),
    "split": {**_to("in_progress", OPEN_STATES), **_WAITING_OR_ANSWERED},
    "find_malicious": _staying(OPEN_STATES),
    "resolve": _to("resolved", OPEN_STATES),
    "close": {"resolved": "closed"},
    "withdraw": _to("withdrawn", OPEN_STATES),
    "merge": _to("merged", OPEN_STATES),
    "link": _staying(STATES),
    "reopen": _to("in_progress", ENDED_STATES - {"merged"}),
}
"""For each command: from which state to which."""
