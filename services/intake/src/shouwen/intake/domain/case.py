"""A case, who gives it commands, and what may stand against any of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shouwen.contracts.case import CaseState, CaseType, Channel, Relation, Severity
from shouwen.intake.domain.life_cycle import LIFE_CYCLE, OPEN_STATES, Command
from shouwen.runtime.errors import Forbidden, Invalid, Refused

CLERKS = ("clerk", "manager", "department_head", "coordinator", "general_manager")
"""Roles that work on cases."""


DIRECTORS = ("manager", "department_head", "coordinator", "general_manager")
"""Roles that may also direct the cases of others: hand over, resolve, record a withdrawal."""

CLOCK_SKEW = timedelta(seconds=5)
"""How far ahead of ours the clock of a client may be; a time within it is taken as now."""


class NotInThisState(Refused):
    """The case's state does not allow this."""

    def __init__(self, case: "Case", command: Command) -> None:
        states = ", ".join(LIFE_CYCLE[command])
        remedy = (
            f"Possible while it is {states}."
            if case.is_open or command == "reopen"
            else f"The case has ended; take it up again: POST /api/cases/{case.number}/reopen."
        )
        super().__init__(
            f"Case {case.number} is {case.state}: {command} is not possible.", field="state", remedy=remedy
        )


class MergedAway(Refused):
    """The case was merged into another one, where the matter goes on."""

    def __init__(self, case: "Case") -> None:
        self._survivor = case.merged_into_number or ""
        super().__init__(
            f"Case {case.number} was merged into {self._survivor}, where the matter goes on.",
            field="state",
            remedy=f"Do this on {self._survivor}: GET /api/cases/{self._survivor}.",
        )

    @property
    def members(self) -> Mapping[str, str]:
        """The number of the other case, for programs."""
        return {"survivor": self._survivor}


class AlreadyOwner(Refused):
    """The person is responsible for the case already."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"{case.owner} is responsible for case {case.number} already.", field="owner", remedy="Name another person."
        )


class NotYours(Forbidden):
    """The case is another person's."""

    def __init__(self, case: "Case", command: Command) -> None:
        super().__init__(
            f"Case {case.number} is the responsibility of {case.owner}: {command} is theirs to do.",
            field="owner",
            remedy=f"Ask them, or somebody with one of the roles {', '.join(DIRECTORS)}.",
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One matter in the register, without the words and names of people (see Particulars)."""

    id: UUID
    number: str
    branch: str
    type: CaseType
    severity: Severity | None
    channel: Channel
    relation: Relation
    state: CaseState
    received_at: datetime
    registered_at: datetime
    registrar: str
    owner: str
    department: str | None
    promised_at: datetime | None
    traceparent: str | None
    replied_at: datetime | None = None
    plan_delivered_at: datetime | None = None
    ended_at: datetime | None = None
    acknowledged_at: datetime | None = None
    pause: "Pause | None" = None
    cycle: int = 1
    found_malicious_at: datetime | None = None
    parent_id: UUID | None = None
    parts: int = 0
    """How many parts it was ever split into."""
    merged_into: UUID | None = None
    merged_into_number: str | None = None
    delegates: tuple[str, ...] = ()
    """Who stands in for the owner now: their delegate, that one's delegate, and so on; not stored with the case."""

    @property
    def delegate(self) -> str | None:
        """Whom the owner named to stand in at present (003 §10(二)).

        The owner stays responsible and the delegate answers beside them, also while somebody does the delegate's work.
        """
        return self.delegates[0] if self.delegates else None

    @property
    def is_open(self) -> bool:
        """Whether somebody is responsible for it still."""
        return self.state in OPEN_STATES

    def require_unmerged(self) -> None:
        """Raise MergedAway where the matter goes on in another case."""
        if self.state == "merged":
            raise MergedAway(self)

    def after(self, command: Command) -> CaseState:
        """The state which the command leads to.

        Raises:
            MergedAway: the matter goes on in another case.
            NotInThisState: the command is not possible now.
        """
        state = LIFE_CYCLE[command].get(self.state)
        if state is None:
            self.require_unmerged()
            raise NotInThisState(self, command)
        return state


PauseReason = Literal["awaiting_requester", "awaiting_third_party"]


ReopenReason = Literal["dissatisfied", "new_information", "ended_wrongly"]


@dataclass(frozen=True, slots=True)
class Pause:
    """For whom the work waits, since when, and until when the answer is expected."""

    reason: PauseReason
    paused_at: datetime
    expected_until: datetime | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who gives a command."""

    person: str
    roles: frozenset[str]
    branches: frozenset[str]

    def directs(self, branch: str) -> bool:
        """Whether the actor directs the cases of others in the branch; a role counts in one's own branches only."""
        return branch in self.branches and not self.roles.isdisjoint(DIRECTORS)

    def has_say(self, case: Case) -> bool:
        """Whether the actor is responsible for the case, stands in for who is, or directs the cases of others."""
        return self.person in {case.owner, *case.delegates} or self.directs(case.branch)

    def require_say(self, case: Case, command: Command) -> None:
        """Raise NotYours unless the actor has a say in the case."""
        if not self.has_say(case):
            raise NotYours(case, command)


def severity_of(type: CaseType, severity: Severity | None) -> Severity | None:
    """The severity of a matter: a complaint is ordinary unless it is said to be major, others have none.

    Raises:
        Invalid: what is no complaint was given one.
    """
    if type == "complaint":
        return severity or "ordinary"
    if severity is not None:
        raise Invalid(
            "Only a complaint has a severity (002 七(二)).",
            field="severity",
            remedy="Leave it out, or register a complaint.",
        )
    return None


def happened_at(case: Case, given: datetime | None, *, field: str, now: datetime) -> datetime:
    """The time of what is recorded: as given, or now.

    Raises:
        Invalid: it is in the future, or before the matter reached the group.
    """
    at = past(given, field=field, now=now)
    if at < case.received_at:
        raise Invalid(
            "The time is before the matter was received.",
            field=field,
            remedy=f"Give a time from {case.received_at.isoformat()} on, or leave it out for now.",
        )
    return at


def past(given: datetime | None, *, field: str, now: datetime) -> datetime:
    """``given``, or now where it is left out or ahead by no more than a clock's error.

    Raises:
        Invalid: it is in the future.
    """
    if given is None:
        return now
    if given > now + CLOCK_SKEW:
        raise Invalid("The time is in the future.", field=field, remedy="Give a past time, or leave it out for now.")
    return min(given, now)
