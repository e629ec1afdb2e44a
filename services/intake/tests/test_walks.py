"""Whatever people do with a case, in whatever order: what must hold of it holds after every step."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from shouwen.intake.domain.life_cycle import LIFE_CYCLE, OPEN_STATES, Command
from shouwen.runtime.testing import Running

Body = dict[str, Any]

PEOPLE = (
    ("bj.clerk", "clerk"),
    ("bj.clerk2", "clerk"),
    ("bj.coordinator", "coordinator"),
    ("bj.manager", "manager"),
    ("bj.general", "general_manager"),
)
STEPS: dict[str, tuple[Command, Body]] = {
    "acknowledge": ("acknowledge", {}),
    "assign": ("assign", {"owner": "bj.clerk2"}),
    "handover": ("offer", {"receiver": "bj.clerk", "reason": "请接手"}),
    "handover/accept": ("accept", {}),
    "handover/return": ("offer", {"reason": "不归我"}),
    "plan": ("plan", {"text": "方案"}),
    "pause": ("pause", {"reason": "awaiting_requester"}),
    "resume": ("resume", {}),
    "reply": ("reply", {"text": "答复"}),
    "promise": ("promise", {"requester_consented": True}),
    "reclassify": ("reclassify", {"type": "report"}),
    "split": ("split", {"parts": [{"department": "payroll", "subject": "核对", "description": "请核对。"}]}),
    "malicious": ("find_malicious", {"reason": "不实"}),
    "malicious/confirm": ("find_malicious", {}),
    "malicious/reject": ("find_malicious", {"reason": "证据不足"}),
    "resolve": ("resolve", {}),
    "close": ("close", {}),
    "withdraw": ("withdraw", {"reason": "撤回"}),
    "reopen": ("reopen", {"reason": "new_information", "note": "有新情况"}),
}


async def require_consistent(intake: Running, case_id: UUID) -> None:
    """What must hold of a case at any time."""
    [case] = await intake.fetch("SELECT * FROM cases WHERE id = $1", case_id)
    chain = await intake.fetch("SELECT * FROM custody WHERE case_id = $1 ORDER BY id", case_id)
    is_open = case["state"] in OPEN_STATES
    assert [link["until"] is None for link in chain] == [False] * (len(chain) - 1) + [is_open], "one has it, or nobody"
    if is_open:
        assert (chain[-1]["person"], chain[-1]["department"]) == (case["owner"], case["department"])
    assert chain[0]["since"] == case["received_at"]
    for link, following in pairwise(chain):
        assert link["since"] <= link["until"] <= following["since"]
        assert link["until"] == following["since"] or following["how"] == "reopened", "no minute is nobody's"
    assert (case["ended_at"] is None) == is_open
    assert (case["pause_reason"] is None) == (case["state"] != "pending")
    runs = await intake.fetch("SELECT cycle FROM case_run WHERE case_id = $1 ORDER BY cycle", case_id)
    assert [run["cycle"] for run in runs] == list(range(1, case["cycle"]))
    parts = await intake.fetch("SELECT number, state FROM cases WHERE parent_id = $1 ORDER BY id", case_id)
    assert [part["number"] for part in parts] == [f"{case['number']}-{each}" for each in range(1, case["parts"] + 1)]
    if not is_open:
        assert all(part["state"] not in OPEN_STATES for part in parts), "the whole ends last"
        assert not await intake.fetch("SELECT 1 FROM handover WHERE case_id = $1 AND state = 'offered'", case_id)


@pytest.mark.req("I-05", "I-08", "I-19")
@pytest.mark.parametrize("seed", range(2))
async def test_a_case_stays_consistent_through_any_course_of_work(
    intake: Running, register: Any, matter: Callable[..., Body], seed: int
) -> None:
    walk = random.Random(seed)  # noqa: S311 (a walk, no secret)
    case = (await register(matter())).json()
    case_id, number = UUID(case["id"]), case["number"]
    done: set[str] = set()
    for _ in range(40):
        [before] = await intake.fetch("SELECT state FROM cases WHERE id = $1", case_id)
        # Mostly what the table lets through, so that the walk gets somewhere; sometimes anything.
        possible = [step for step, (command, _) in STEPS.items() if before["state"] in LIFE_CYCLE[command]]
        step = walk.choice(possible if walk.random() < 0.9 else list(STEPS))
        command, body = STEPS[step]
        if step == "promise":
            body = body | {"promised_at": (datetime.now(UTC) + timedelta(hours=walk.randint(1, 9))).isoformat()}
        person, role = walk.choice(PEOPLE)
        answer = await intake.http.post(
            f"/api/cases/{number}/{step}", json=body, headers=intake.token(person, ["beijing"], [role])
        )
        assert answer.status_code in {200, 403, 409, 422}, answer.text
        [after] = await intake.fetch("SELECT state FROM cases WHERE id = $1", case_id)
        if answer.status_code == 200:
            done.add(step)
            assert after["state"] == LIFE_CYCLE[command][before["state"]]
        else:
            assert answer.json()["errors"][0]["remedy"], "a refusal says what would help"
            assert after["state"] == before["state"]
        await require_consistent(intake, case_id)
    assert len(done) > 5, "the walk got somewhere"
