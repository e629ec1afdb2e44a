"""A matter that is registered when several of its limits have passed already tells each person so once, not five times.

Each breach stays a fact of its own clock. The breach of the clock that leads tells people of the others too, and each
role of the escalation hears of all of them in one event.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from shouwen.contracts.clock import ClockBreached, EscalationRaised
from shouwen.sla.domain.arming import Armed, Decision, Telling, breached_event, common
from shouwen.sla.domain.clock import firing_id
from shouwen.sla.domain.instant import SECOND, micros, moment

_Raising = tuple[int, UUID, int]
"""When a step was due, and which step of which clock it is."""


def alert_once(begun: Sequence[Decision], now: datetime) -> list[Decision]:
    """What follows for the clocks that one batch of facts begins on a subject, told together if several are late."""
    late = [each.armed for each in begun if each.armed is not None and each.armed.clock.is_breached(now)]
    if len(late) < 2:
        return list(begun)
    lead = min(late, key=lambda armed: (not armed.clock.is_open, armed.clock.due_at, armed.clock.clock_id))
    raising = _by_role([armed for armed in late if armed.clock.is_open], micros(now))
    tellers = {steps[0][1:]: (role, steps) for role, steps in raising.items()}
    decisions: list[Decision] = []
    for each in begun:
        if each.armed is None or not each.armed.clock.is_breached(now):
            decisions.append(each)
            continue
        told_with = None if each.armed is lead else lead.clock.clock_id
        if each.armed.clock.is_open:
            decisions.append(_told(each, each.armed, told_with, tellers, now))
        else:
            decisions.append(replace(each, tellings=tuple(_with(telling, told_with) for telling in each.tellings)))
    return decisions


def _by_role(late: Sequence[Armed], now: int) -> dict[str, list[_Raising]]:
    """The escalation steps that are past, by role; the earliest first."""
    found: dict[str, list[_Raising]] = {}
    for armed in late:
        for index, step in enumerate(armed.clock.steps):
            if step.kind == "escalated" and step.role is not None and step.at is not None and step.at <= now:
                found.setdefault(step.role, []).append((step.at, armed.clock.clock_id, index))
    return {role: sorted(steps) for role, steps in found.items()}


def _told(
    decision: Decision,
    armed: Armed,
    told_with: UUID | None,
    tellers: dict[tuple[UUID, int], tuple[str, list[_Raising]]],
    now: datetime,
) -> Decision:
    """A clock with everything that is past told, or left to the event of another clock."""
    clock, present = armed.clock, micros(now)
    fired_at = list(armed.fired_at)
    fired_at[clock.breach_step] = present
    breach_id = firing_id(clock.clock_id, clock.cycle, clock.breach_step, armed.generation)
    tellings = [*decision.tellings, Telling(breached_event(clock, now, told_with), str(breach_id))]
    step = clock.breach_step + 1
    while step < len(clock.steps) and (at := clock.steps[step].at) is not None and at <= present:
        teller = tellers.get((clock.clock_id, step))
        if teller is not None:
            role, steps = teller
            others = dict.fromkeys(clock_id for _, clock_id, _ in steps if clock_id != clock.clock_id)
            raised = EscalationRaised(
                **common(clock),
                due_at=moment(clock.due_at),
                level=clock.steps[step].level or 1,
                role=role,
                fired_for=moment(at),
                late_seconds=(present - at) / SECOND,
                also=tuple(others),
            )
            tellings.append(Telling(raised, str(firing_id(clock.clock_id, clock.cycle, step, armed.generation))))
            fired_at[step] = present
        step += 1
    told = replace(armed, step=step, breached=True, fired_at=tuple(fired_at))
    return Decision(told, tuple(tellings))


def _with(telling: Telling, told_with: UUID | None) -> Telling:
    if not isinstance(telling.event, ClockBreached):
        return telling
    return replace(telling, event=telling.event.model_copy(update={"told_with": told_with}))
