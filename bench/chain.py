"""From the POST of a matter to its effects: which event shows which effect, and how long it took."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.tap import Seen
from shouwen.contracts.case import CaseRegistered
from shouwen.contracts.clock import ClockBreached, ClockStarted
from shouwen.contracts.message import MessageSent

TIMED_TYPES = ("complaint", "inquiry")
"""The case types for which every shipped composition of packs has at least one clock."""


EFFECTS = {
    "registered": "case.registered seen on Kafka",
    "armed": "every clock armed (last clock.started seen)",
    "told": "in the owner's inbox (message.sent seen)",
    "told_recorded": "in the owner's inbox (sent_at of notify)",
    "mailed": "owner's e-mail taken by the mail server (message.sent seen)",
    "breached": "late matter: breach fired (first clock.breached seen)",
    "breach_told": "late matter: breach told in an inbox (first message.sent seen)",
}
MESSAGES = {
    ("case_registered", "inbox"): "told",
    ("case_registered", "email"): "mailed",
    ("clock_breached", "inbox"): "breach_told",
}
"""Which effect a message of this template on this channel is."""


@dataclass(slots=True)
class Delays:
    """Seconds from before each POST until the effect; ``missing`` counts matters whose effect was never seen."""

    seconds: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    missing: dict[str, int] = field(default_factory=dict[str, int])


def delays(intents: Sequence[Mapping[str, Any]], seen: Iterable[Seen]) -> Delays:
    """Pair the matters of a ledger with the effects that the tap saw."""
    times = _times(seen)
    found = Delays(seconds={effect: [] for effect in EFFECTS}, missing={"clocks": 0, "inbox message": 0})
    for intent in intents:
        subject, posted = f"case/{intent['id']}", intent["posted_at"]
        for effect in EFFECTS:
            if subject in times[effect]:
                found.seconds[effect].append(times[effect][subject] - posted)
        found.missing["clocks"] += intent["type"] in TIMED_TYPES and subject not in times["armed"]
        found.missing["inbox message"] += subject not in times["told"]
    return found


def _times(seen: Iterable[Seen]) -> dict[str, dict[str, float]]:
    """Per effect and subject, when it was there: the first time, for clocks the last."""
    times: dict[str, dict[str, float]] = {effect: {} for effect in EFFECTS}
    for one in seen:
        fact = one.event.data
        match fact:
            case CaseRegistered():
                times["registered"].setdefault(fact.subject, one.seen_at)
            case ClockStarted():
                times["armed"][fact.timed_subject] = one.seen_at
            case ClockBreached():
                times["breached"].setdefault(fact.timed_subject, one.seen_at)
            case MessageSent():
                effect = MESSAGES.get((fact.template, fact.channel))
                if effect:
                    times[effect].setdefault(fact.about, one.seen_at)
                if effect == "told":
                    times["told_recorded"].setdefault(fact.about, fact.sent_at.timestamp())
            case _:
                pass
    return times
