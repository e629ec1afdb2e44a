"""Which fact is told to whom, by which template, and why them.

A cause tells a person once, also when they hold several parts: an owner who is the branch's manager too gets one
message about a breach.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shouwen.contracts.case import CaseAssigned, CaseRegistered
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, EscalationRaised
from shouwen.notify.domain.directory import ROLE_PREFIX, Branch

TemplateName = Literal[
    "case_registered", "case_assigned", "clock_at_risk", "clock_breached", "escalation_raised", "delivery_failed"
]
Told = CaseRegistered | CaseAssigned | ClockAtRisk | ClockBreached | EscalationRaised

FIRST_LEVEL = "manager"
"""The role of escalation level 1: it hears of a breach beside the owner, and stands in for an owner nobody knows."""


@dataclass(frozen=True, slots=True)
class Address:
    """One person to be told; ``reason`` is ``owner`` or ``role:NAME``."""

    recipient: str
    reason: str


@dataclass(frozen=True, slots=True)
class Telling:
    """A fact that is told: by which template, to whom."""

    template: TemplateName
    addresses: tuple[Address, ...]


def telling(fact: Told, branch: Branch) -> Telling:
    """Who is told of a fact (001 §13, 003 §10(一); warning and escalation: N-05)."""
    match fact:
        case CaseRegistered():
            return Telling("case_registered", _once(_owner(fact.owner, branch)))
        case CaseAssigned():
            return Telling("case_assigned", _once(_owner(fact.owner, branch)))
        case ClockAtRisk():
            return Telling("clock_at_risk", _once(_owner(fact.responsible.owner, branch)))
        case ClockBreached():
            told = [*_owner(fact.responsible.owner, branch), *_role(FIRST_LEVEL, branch)]
            return Telling("clock_breached", _once(told))
        case EscalationRaised() if fact.role == FIRST_LEVEL and fact.fired_for <= fact.due_at:
            # A level that is raised at the limit itself is the breach: its message has told the role.
            return Telling("escalation_raised", ())
        case EscalationRaised():
            return Telling("escalation_raised", _once(_role(fact.role, branch)))


def failure_telling(recipient: str, branch: Branch) -> Telling:
    """Who looks after a message that could not be delivered to ``recipient`` (N-04): the branch's manager."""
    others = [each for each in _role(FIRST_LEVEL, branch) if each.recipient != recipient]
    return Telling("delivery_failed", _once(others or _role("operator", branch)))


def _owner(owner: str | None, branch: Branch) -> list[Address]:
    if owner is None or branch.left(owner):
        return _role(FIRST_LEVEL, branch)
    return [Address(owner, "owner")]


def _role(role: str, branch: Branch) -> list[Address]:
    reason = ROLE_PREFIX + role
    # Nobody may stay untold because a post is vacant: the message waits for whoever takes it.
    return [Address(person, reason) for person in branch.holding(role)] or [Address(reason, reason)]


def _once(addresses: Iterable[Address]) -> tuple[Address, ...]:
    first: dict[str, Address] = {}
    for each in addresses:
        first.setdefault(each.recipient, each)
    return tuple(first.values())
