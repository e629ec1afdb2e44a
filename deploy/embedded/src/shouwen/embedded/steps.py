"""What the staff of the evaluation branches do with a case, for the demo and the load."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Step = Literal[
    "acknowledge",
    "assign",
    "offer",
    "accept",
    "pause",
    "resume",
    "investigate",
    "establish",
    "find",
    "rule",
    "apologise",
    "adopt",
    "reply",
    "plan",
    "resolve",
    "ask",
    "close",
    "withdraw",
]

PREFIXES = {"beijing": "bj", "chengdu": "cd", "shenzhen": "sz"}
"""The evaluation branches, and how the names of their staff begin."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One request: ``path`` below ``/api/cases/{number}/``, who sends it, and the body."""

    path: str
    person: str
    role: str
    body: Mapping[str, Any]


def deed(step: Step, branch: str) -> Deed:
    """What is done in this step in this branch."""
    prefix = PREFIXES[branch]
    path, post, role, body = _DEEDS[step]
    named = {name: f"{prefix}{value}" if str(value).startswith(".") else value for name, value in body.items()}
    return Deed(path, f"{prefix}.{post}", role, named)


_DEEDS: Mapping[Step, tuple[str, str, str, Mapping[str, Any]]] = {
    "acknowledge": ("acknowledge", "manager", "manager", {"note": "已告知来人受理编号和办理时限。"}),
    "assign": ("assign", "manager", "manager", {"owner": ".clerk2"}),
    "offer": ("handover", "manager", "manager", {"receiver": ".clerk2", "reason": "属对方业务范围，请接续办理。"}),
    "accept": ("handover/accept", "clerk2", "clerk", {}),
    "pause": ("pause", "manager", "manager", {"reason": "awaiting_requester", "note": "请来人补充工资流水。"}),
    "resume": ("resume", "manager", "manager", {"note": "材料已收到。"}),
    "investigate": ("investigation", "general", "general_manager", {"investigator": ".coordinator"}),
    "establish": (
        "investigation/facts",
        "coordinator",
        "coordinator",
        {"text": "调取通话记录：当日下午三次来电均无人接听，值班人员离岗。"},
    ),
    "find": (
        "investigation/finding",
        "coordinator",
        "coordinator",
        {"finding": "neglect_of_duty", "reasoning": "当日无人值守，违反首问负责的规定。"},
    ),
    "rule": (
        "investigation/ruling",
        "general",
        "general_manager",
        {"finding": "neglect_of_duty", "ruling": "通报批评，并调整值班安排。"},
    ),
    "apologise": ("remedies", "manager", "manager", {"remedy": "apology", "text": "负责人已致电道歉。"}),
    "adopt": ("decision", "manager", "manager", {"adopted": True, "reason": "下季度起实行。", "inform": True}),
    "reply": ("reply", "manager", "manager", {"text": "您好，您反映的事项我们已受理并核实，感谢您的耐心等待。"}),
    "plan": ("plan", "manager", "manager", {"text": "处理方案：核对记录，更正数据，并于下月起按月复核。"}),
    "resolve": ("resolve", "manager", "manager", {"summary": "已办结，来人表示满意。"}),
    "ask": ("survey", "manager", "manager", {}),
    "close": ("close", "manager", "manager", {}),
    "withdraw": ("withdraw", "manager", "manager", {"reason": "来人表示已自行解决，撤回。"}),
}
"""Path, post of the person, role and body; a value that begins with a dot is a colleague's post."""
