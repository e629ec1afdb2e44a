"""What a person may do to a clock, and why not: every refusal says what to do instead."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shouwen.runtime.errors import Invalid, Refused
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.instant import moment


class CannotPause(Refused):
    """The clock does not pause."""


class CannotResume(Refused):
    """The clock does not resume."""


class CannotExtend(Refused):
    """The clock gets no more time."""


@dataclass(frozen=True, slots=True)
class Pausing:
    """The matter waits for somebody: why, until when the answer is expected, and where that is written."""

    reason: str
    until: datetime | None = None
    evidence: str | None = None
    do: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True)
class Resuming:
    """The matter goes on."""

    do: Literal["resume"] = "resume"


@dataclass(frozen=True, slots=True)
class Extending:
    """More time, in the target's unit, and when the requester was told so."""

    units: int
    reason: str
    informed_at: datetime
    do: Literal["extend"] = "extend"


Instructing = Pausing | Resuming | Extending


def check(clock: Clock, asked: Instructing, roles: frozenset[str], now: datetime) -> None:
    """Refuse what a clock does not allow.

    Raises:
        CannotPause, CannotResume, CannotExtend: the clock, its state or its pack does not allow it.
        Invalid: a field is wrong.
    """
    match asked:
        case Pausing():
            _check_pause(clock, asked, now)
        case Resuming():
            if clock.state_at(now) != "paused":
                raise CannotResume(
                    f"The clock is {clock.state_at(now)}, not paused.", remedy="Leave it as it is; it counts already."
                )
        case Extending():
            _check_extension(clock, asked, roles, now)


def _check_pause(clock: Clock, asked: Pausing, now: datetime) -> None:
    target = clock.target
    name = f"{target.policy} {target.name}"
    if target.statutory:
        raise CannotPause(
            f"{name} is a duty by law ({target.clause}): its clock never pauses.",
            remedy="Meet it, even in part, and record what it waits for on the matter itself.",
        )
    if not clock.is_open:
        raise CannotPause(
            f"The clock is {clock.state} since {_shown(clock.ended_at)}.", remedy="Reopen the matter if it goes on."
        )
    if clock.is_breached(now):
        raise CannotPause(
            f"The deadline passed at {_shown(clock.due_at)}; a pause would only hide that.",
            remedy="Finish the matter; the breach stands.",
        )
    if clock.state_at(now) == "paused" and clock.pauses[-1].ends is None:
        raise CannotPause(
            f"The clock stands still already since {_shown(clock.pauses[-1].starts)} ({clock.pauses[-1].reason}).",
            remedy="Resume it first if it now waits for something else.",
        )
    if asked.reason not in target.pausable:
        raise Invalid(
            f"{name} does not pause for {asked.reason}.",
            field="reason",
            remedy=f"Use one of {', '.join(sorted(target.pausable))}."
            if target.pausable
            else f"Its pack {target.pack} has no reason for which it may pause.",
        )
    if asked.until is not None and asked.until <= now:
        raise Invalid("is not in the future.", field="expected_until", remedy="Give when the answer is expected.")


def _check_extension(clock: Clock, asked: Extending, roles: frozenset[str], now: datetime) -> None:
    target, extending = clock.target, clock.target.extension
    name = f"{target.policy} {target.name}"
    if target.statutory:
        raise CannotExtend(
            f"{name} is a duty by law ({target.clause}): nobody may extend it.", remedy="Meet it as early as you can."
        )
    if target.is_agreed:
        raise CannotExtend(
            f"{name} was agreed with the requester.",
            remedy="Agree another time with the requester and record it on the case.",
        )
    if extending is None:
        raise CannotExtend(
            f"The pack {target.pack} has no extension for {name}.", remedy="Finish in time, or change the pack."
        )
    if extending.role not in roles:
        raise CannotExtend(f"An extension of {name} is for {extending.role} to approve.", remedy="Ask them to.")
    if not clock.is_open:
        raise CannotExtend(
            f"The clock is {clock.state} since {_shown(clock.ended_at)}.", remedy="Reopen the matter if it goes on."
        )
    if clock.is_breached(now):
        raise CannotExtend(
            f"The deadline passed at {_shown(clock.due_at)}; more time has to be approved before it.",
            remedy="Finish the matter; the breach stands.",
        )
    left = extending.most - sum(each.units for each in clock.extensions)
    if asked.units > left:
        raise Invalid(
            f"{asked.units} {target.unit} are more than the pack allows.",
            field="units",
            remedy=f"Give at most {left}." if left else "The clock cannot be extended any more; finish in time.",
        )
    if asked.informed_at > now:
        raise Invalid(
            "is in the future.", field="requester_informed_at", remedy="Tell the requester first, then extend."
        )


def _shown(at: int | None) -> str:
    return "" if at is None else moment(at).isoformat(timespec="seconds")
