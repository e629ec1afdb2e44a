"""Facts of a case as its tests tell them: short, with times of Shanghai."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shouwen.sla import gateways
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.fact import INSTRUCTED, Fact
from shouwen.sla.domain.instant import moment
from shouwen.sla.domain.pack_file import read_pack
from shouwen.sla.domain.policies import Branch, Policies

POLICIES = Policies(gateways.shipped_packs())
SHANGHAI = ZoneInfo("Asia/Shanghai")
_ids = iter(range(1_000_000))


def time(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


def composition(*packs: str) -> Composition:
    return POLICIES.of(Branch("beijing", "Asia/Shanghai", packs))


def of_text(text: str) -> Composition:
    return Composition([read_pack(text)], composition().timetable)


def fact(event_type: str, at: str, /, **data: Any) -> Fact:
    return Fact(f"f{next(_ids)}", event_type, time(at), {"branch": "beijing", **data})


def registered(at: str, case_type: str = "complaint", **data: Any) -> Fact:
    told = {"owner": "wang", "department": "customer-service", "channel": "phone", **data}
    return fact("case.registered.v1", at, case_type=case_type, received_at=time(at).isoformat(), **told)


def happened(event_type: str, field: str, at: str, **data: Any) -> Fact:
    return fact(event_type, at, **{field: time(at).isoformat()}, **data)


def reclassified(at: str, case_type: str, **data: Any) -> Fact:
    return happened("case.reclassified.v1", "reclassified_at", at, case_type=case_type, **data)


def promised(at: str, until: str, *, consented: bool = False) -> Fact:
    return happened(
        "case.promised.v1", "agreed_at", at, promised_at=time(until).isoformat(), requester_consented=consented
    )


def paused(at: str, until: str | None = None, reason: str = "awaiting_requester") -> Fact:
    expected = None if until is None else time(until).isoformat()
    return happened("case.paused.v1", "paused_at", at, reason=reason, expected_until=expected, paused_by="wang")


def resumed(at: str) -> Fact:
    return happened("case.resumed.v1", "resumed_at", at)


def replied(at: str) -> Fact:
    return happened("case.replied.v1", "replied_at", at)


def resolved(at: str) -> Fact:
    return happened("case.resolved.v1", "resolved_at", at)


def reopened(at: str, owner: str = "wang") -> Fact:
    return happened("case.reopened.v1", "reopened_at", at, owner=owner, reason="dissatisfied")


def instructed(do: str, at: str, reason: str = "awaiting_requester", **data: Any) -> Fact:
    return fact(INSTRUCTED, at, do=do, at=time(at).isoformat(), reason=reason, by="wang", **data)


def clocks(facts: Sequence[Fact], target: str, *packs: str) -> list[Clock]:
    return [each for each in composition(*packs).evaluate("beijing", "case/1", facts) if each.target.name == target]


def clock(facts: Sequence[Fact], target: str, *packs: str) -> Clock:
    [one] = clocks(facts, target, *packs)
    return one


def local(instant: int | None) -> str:
    assert instant is not None
    return moment(instant).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def spans(one: Clock) -> list[tuple[str, str, str]]:
    """Its pauses: from, to, why."""
    return [(local(pause.starts), local(pause.ends), pause.reason) for pause in one.pauses]
