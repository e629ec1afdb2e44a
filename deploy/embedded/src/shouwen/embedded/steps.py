"""What the staff of the evaluation branches do with a case, for the demo and the load."""

from collections.abc import Mapping
from typing import Any, Literal

Step = Literal["assign", "reply", "plan", "resolve", "withdraw"]

PREFIXES = {"beijing": "bj", "chengdu": "cd", "shenzhen": "sz"}
"""The evaluation branches, and how the names of their staff begin."""


def body(step: Step, branch: str) -> Mapping[str, Any]:
    """What is sent to ``POST /api/cases/{number}/{step}``."""
    bodies: Mapping[Step, Mapping[str, Any]] = {
        "assign": {"owner": f"{PREFIXES[branch]}.clerk2"},
        "reply": {"text": "您好，您反映的事项我们已受理并核实，感谢您的耐心等待。"},
        "plan": {"text": "处理方案：核对记录，更正数据，并于下月起按月复核。"},
        "resolve": {"summary": "已办结，来人表示满意。"},
        "withdraw": {"reason": "来人表示已自行解决，撤回。"},
    }
    return bodies[step]
