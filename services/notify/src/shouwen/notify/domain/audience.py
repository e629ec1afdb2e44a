"""Which fact is told to whom, by which template, and why them.

A cause tells a person once, also when they hold several parts: an owner who is the branch's manager too gets one
message about a breach.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from shouwen.contracts.case import CaseAssigned, CaseRegistered, CaseReopened
from shouwen.contracts.casework import (
    CorrectiveActionAssigned,
    EvaluationDecided,
    HandoverAccepted,
    HandoverOffered,
    HandoverReturned,
    InvestigationOpened,
    RequesterWrote,
)
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, ClockRecalculated, EscalationRaised
from shouwen.notify.domain.directory import ROLE_PREFIX, Branch

TemplateName = Literal[
    "case_registered",
    "case_assigned",
    "case_reopened",
    "handover_offered",
    "handover_accepted",
    "handover_returned",
    "investigation_opened",
    "corrective_action_assigned",
    "evaluation_decided",
    "requester_wrote",
    "clock_at_risk",
    "clock_breached",
    "clock_recalculated",
    "escalation_raised",
    "delivery_failed",
    "requester_to_be_told",
    "notice_handover",
    "notice_extension",
    "notice_survey",
    "notice_suggestion_decision",
    "notice_progress",
    "notice_reply",
]
CaseTold = (
    CaseRegistered
    | CaseAssigned
    | CaseReopened
    | HandoverOffered
    | HandoverAccepted
    | HandoverReturned
    | InvestigationOpened
    | CorrectiveActionAssigned
    | EvaluationDecided
    | RequesterWrote
)
"""Facts about a case of which a person of the branch is told."""
ClockTold = ClockAtRisk | ClockBreached | ClockRecalculated | EscalationRaised
"""Facts about a clock of which a person of the branch is told."""
Told = CaseTold | ClockTold

_CASE_TELLINGS: Mapping[type[CaseTold], tuple[TemplateName, str]] = {
    CaseRegistered: ("case_registered", "owner"),
    CaseAssigned: ("case_assigned", "owner"),
    CaseReopened: ("case_reopened", "owner"),
    HandoverOffered: ("handover_offered", "receiver"),
    HandoverAccepted: ("handover_accepted", "previous_owner"),
    HandoverReturned: ("handover_returned", "owner"),
    InvestigationOpened: ("investigation_opened", "investigator"),
    CorrectiveActionAssigned: ("corrective_action_assigned", "owner"),
    EvaluationDecided: ("evaluation_decided", "owner"),
    RequesterWrote: ("requester_wrote", "owner"),
}
"""The template of each fact about a case, and the field that names the person whom it is told to."""

REQUESTER = "requester"
"""The recipient of a notice to whoever brought the matter; the directory does not have them."""

FIRST_LEVEL = "manager"
"""The role of escalation level 1: it hears of a breach beside the owner, and stands in for an owner nobody knows."""


@dataclass(frozen=True, slots=True)
class Address:
    """One person to be told; ``reason`` is ``owner``, ``receiver``, …, ``delegate`` or ``role:NAME``."""

    recipient: str
    reason: str


@dataclass(frozen=True, slots=True)
class Telling:
    """A fact that is told: by which template, to whom."""

    template: TemplateName
    addresses: tuple[Address, ...]


def concerned(fact: Told) -> str | None:
    """The person whom a fact is told to first; they may be of another branch."""
    if isinstance(fact, ClockTold):
        return fact.responsible.owner
    _, field = _CASE_TELLINGS[type(fact)]
    return str(getattr(fact, field))


def telling(fact: Told, branch: Branch) -> Telling:
    """Who is told of a fact (001 §13, 003 §10(一); warning and escalation: N-05), their delegates beside them."""
    told = _clock_telling(fact, branch) if isinstance(fact, ClockTold) else _case_telling(fact, branch)
    return Telling(told.template, _once(_with_delegates(told.addresses, branch)))


def _case_telling(fact: CaseTold, branch: Branch) -> Telling:
    template, field = _CASE_TELLINGS[type(fact)]
    return Telling(template, _person(concerned(fact), field, branch))


def _clock_telling(fact: ClockTold, branch: Branch) -> Telling:
    owner = _person(fact.responsible.owner, "owner", branch)
    match fact:
        case ClockAtRisk():
            return Telling("clock_at_risk", owner)
        case ClockBreached() if fact.told_with is not None:
            # A matter that came late with several limits past: the message of another of its clocks tells it.
            return Telling("clock_breached", ())
        case ClockBreached():
            return Telling("clock_breached", (*owner, *_role(FIRST_LEVEL, branch)))
        case ClockRecalculated():
            # That a deadline is no longer provisional changes nothing for who works towards it.
            return Telling("clock_recalculated", owner if fact.due_at != fact.previous_due_at else ())
        case EscalationRaised() if fact.role == FIRST_LEVEL and fact.fired_for <= fact.due_at:
            # A level that is raised at the limit itself is the breach: its message has told the role.
            return Telling("escalation_raised", ())
        case EscalationRaised():
            return Telling("escalation_raised", tuple(_role(fact.role, branch)))


def notice_telling(notice: str, owner: str, branch: Branch, *, by_mail: bool) -> Telling:
    """A notice goes to the requester by mail; where it cannot, whoever is responsible for the case tells them."""
    if by_mail:
        return Telling(cast(TemplateName, f"notice_{notice}"), (Address(REQUESTER, REQUESTER),))
    return Telling("requester_to_be_told", _once(_with_delegates(_person(owner, "owner", branch), branch)))


def notice_values(sealed: Mapping[str, str], *, by_mail: bool) -> dict[str, str | datetime]:
    """What a notice says of the values that it was asked with: no address, and to others than the requester no name.

    Whoever tells them in person finds name and number in the case, where each look is recorded.
    """
    unsaid = {"email", "phone"} if by_mail else {"email", "phone", "name", "link"}
    values: dict[str, str | datetime] = {name: value for name, value in sealed.items() if name not in unsaid}
    if "due_at" in sealed:
        del values["due_at"]
        values["due"] = datetime.fromisoformat(sealed["due_at"])
    return values


def failure_telling(recipient: str, branch: Branch) -> Telling:
    """Who looks after a message that could not be delivered to ``recipient`` (N-04): the branch's manager."""
    others = [each for each in _role(FIRST_LEVEL, branch) if each.recipient != recipient]
    return Telling("delivery_failed", _once(others or _role("operator", branch)))


def _person(person: str | None, reason: str, branch: Branch) -> tuple[Address, ...]:
    if person is None or branch.left(person):
        return tuple(_role(FIRST_LEVEL, branch))
    return (Address(person, reason),)


def _with_delegates(addresses: Iterable[Address], branch: Branch) -> Iterator[Address]:
    # New work and reminders go to the delegate (003 §10(二)); the principal finds them when they are back.
    for each in addresses:
        yield each
        yield from (Address(delegate, "delegate") for delegate in branch.standing_in_for(each.recipient))


def _role(role: str, branch: Branch) -> list[Address]:
    reason = ROLE_PREFIX + role
    # Nobody may stay untold because a post is vacant: the message waits for whoever takes it.
    return [Address(person, reason) for person in branch.holding(role)] or [Address(reason, reason)]


def _once(addresses: Iterable[Address]) -> tuple[Address, ...]:
    first: dict[str, Address] = {}
    for each in addresses:
        first.setdefault(each.recipient, each)
    return tuple(first.values())
