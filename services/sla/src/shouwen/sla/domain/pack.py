"""Policy packs: which event starts, pauses, resumes, stops or cancels a clock, its limit, and the clause it is from.

A pack is data (YAML, read by ``pack_file``). The models here are its shape; ``Target`` is one promise of it with
everything resolved, ready to be evaluated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from shouwen.sla.domain.allowance import Unit

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
PackName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Scalar = str | int | bool
Basis = Literal["clause", "suite_default"]
Running = Literal["keep", "move"]
ReopenMode = Literal["resume", "new_cycle", "none"]
LaterPromise = Literal["never", "with_consent"]
LONGEST_LIMIT = 100_000
"""Above any real limit in any unit (69 days in minutes, 11 years in hours); keeps arithmetic in the calendar."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldTest(_Part):
    """A condition on one field of an event that is more than equality."""

    present: bool | None = Field(None, description="true: the field has a value; false: it has none")
    not_: Scalar | list[Scalar] | None = Field(None, alias="not", description="The value is none of these")


def _short_trigger(value: object) -> object:
    return {"event": value} if isinstance(value, str) else value


class TriggerPart(_Part):
    """An event, if it meets the condition. Written in short as the event's type alone."""

    event: str = Field(description="Event type, as case.registered.v1")
    at: str | None = Field(None, description="The field that tells when it happened; needed if the event has several")
    when: dict[str, Scalar | list[Scalar] | FieldTest] = Field(
        default_factory=dict, description="Field: value, or list of values, or {present: …, not: …}; all must hold"
    )
    reason: Name | None = Field(None, description="For a pause or a cancellation: why; else the event's own reason")
    until: str | None = Field(None, description="For a pause: the field that tells when it ends by itself")


Trigger = Annotated[TriggerPart, BeforeValidator(_short_trigger)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | dict) else value


Triggers = Annotated[list[Trigger], BeforeValidator(_as_list)]


def _percent(value: object) -> object:
    if isinstance(value, str) and value.strip().endswith("%") and value.strip()[:-1].isdecimal():
        return {"percent": int(value.strip()[:-1])}
    return value


class WarningPart(_Part):
    """A warning before the limit: ``50%`` of it is used up, or ``{before: 4}`` units of it are left."""

    percent: int | None = Field(None, ge=1, le=99)
    before: int | None = Field(None, ge=1, description="In the target's unit")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.percent is None) == (self.before is None):
            raise ValueError("give a percentage such as 80%, or {before: 4} in the target's unit")
        return self


WarningAt = Annotated[WarningPart, BeforeValidator(_percent)]


class EscalationPart(_Part):
    """A step after the breach: the clock is still open, so this role is told."""

    after: int = Field(ge=0, le=LONGEST_LIMIT)
    unit: Unit
    role: Name


class PausePart(_Part):
    """A reason for which a clock may stand still, and how long at most: all its pauses for this reason together."""

    reason: Name
    at_most: int | None = Field(None, ge=1, le=LONGEST_LIMIT, description="Then it resumes by itself")
    unit: Unit | None = None

    @model_validator(mode="after")
    def _limit_has_a_unit(self) -> Self:
        if (self.at_most is None) != (self.unit is None):
            raise ValueError("give at_most and unit together, or neither")
        return self


def _short_reason(value: object) -> object:
    return {"reason": value} if isinstance(value, str) else value


PauseReason = Annotated[PausePart, BeforeValidator(_short_reason)]


class ExtensionPart(_Part):
    """Who may approve more time before the deadline, and how much."""

    role: Name
    most: int | None = Field(
        None, ge=1, le=LONGEST_LIMIT, description="In the target's unit, all together; without it the limit again"
    )


class LimitPart(_Part):
    """A limit and how it is counted."""

    limit: int = Field(ge=0, le=LONGEST_LIMIT)
    unit: Unit


class MonthlyPart(_Part):
    """A promise that comes round each month: from the month's first day to 24:00 of the agreed day."""

    first: str = Field(description="The start event's field with a day of the first month")
    day: str = Field(description="The start event's field with the day of the month; in a shorter month its last day")
    month: str = Field(description="The stop event's field with a day of the month that it settles")


class Defaults(_Part):
    """What the pack's targets have unless they say otherwise."""

    warn_at: list[WarningAt] = []
    escalate: list[EscalationPart] = []
    pausable: list[PauseReason] = []
    reopen_mode: ReopenMode = "resume"
    extension: ExtensionPart | None = None


class TargetPart(_Part):
    """One promise: a limit, what starts and what meets it, and where it is written."""

    title: str | None = None
    limit: int | None = Field(None, ge=0, le=LONGEST_LIMIT)
    unit: Unit | None = None
    due: str | None = Field(
        None, description="Instead of a limit: the field of the start event that holds the deadline"
    )
    no_later_than: LimitPart | None = Field(None, description="For due: an agreed time later than this does not count")
    later: LaterPromise = Field(
        "never", description="with_consent: a later time counts if the start event says requester_consented"
    )
    monthly: MonthlyPart | None = Field(None, description="Instead of a limit: due on an agreed day each month")
    rolls: Literal["next_working_day"] | None = Field(
        None, description="A period of calendar days that ends on a day off ends with the next working day"
    )
    start: Triggers | None = Field(None, description="Without it the policy's")
    stop: Triggers = Field(default=[], description="Beside the policy's")
    early_stop: bool = Field(False, description="A stop that happened before the start meets the target at once")
    warn_at: list[WarningAt] | None = None
    escalate: list[EscalationPart] | None = None
    statutory: bool = Field(False, description="A duty by law: never paused")
    pausable: list[PauseReason] | None = Field(
        None, description="Reasons for which it may pause; without it the pack's"
    )
    reopen_mode: ReopenMode | None = Field(
        None,
        description="When the matter is reopened: resume (the time in between does not count), new_cycle, or none",
    )
    extension: ExtensionPart | Literal["none"] | None = Field(None, description="Without it the pack's")
    basis: Basis = Field("clause", description="suite_default: the limit is ours, the clause gives none")
    clause: str = Field(min_length=1, description="Where it is written, as 004 三(六)")


class PolicyPart(_Part):
    """The promises for one sort of matter."""

    title: str | None = None
    start: Triggers
    stop: Triggers = []
    pause: Triggers = []
    resume: Triggers = []
    cancel: Triggers = []
    reopen: Triggers = []
    targets: dict[Name, TargetPart] = Field(min_length=1)


class PackDocument(_Part):
    """A policy pack as its file holds it."""

    pack: PackName
    version: int = Field(ge=1)
    effective_from: date
    title: str
    source: str | None = Field(None, description="The regulation it is drawn from")
    running: Running = Field("keep", description="Clocks that run when this version takes effect: keep theirs, or move")
    defaults: Defaults = Defaults()
    policies: dict[Name, PolicyPart] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class When:
    """One event that a target listens to, resolved."""

    event: str
    at: str | None
    tests: tuple[tuple[str, Scalar | list[Scalar] | FieldTest], ...] = ()
    reason: str | None = None
    until: str | None = None

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Whether the event's fields meet the condition."""
        return all(_holds(test, data.get(name)) for name, test in self.tests)


def _holds(test: Scalar | list[Scalar] | FieldTest, value: object) -> bool:
    if isinstance(test, FieldTest):
        excluded = test.not_ if isinstance(test.not_, list) else [test.not_]
        return (test.present is None or (value is not None) == test.present) and (
            test.not_ is None or value not in excluded
        )
    return value in test if isinstance(test, list) else value == test


@dataclass(frozen=True, slots=True)
class WarningStep:
    """A warning: after ``percent`` of the allowance, or when ``before`` units are left."""

    percent: int | None
    before: int | None


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """A step so long after the breach."""

    level: int
    role: str
    after: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class PauseCap:
    """How long a clock may stand still for a reason, all pauses together."""

    reason: str
    limit: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Extending:
    """Who may approve more time, and how many units in all."""

    role: str
    most: int


@dataclass(frozen=True, slots=True)
class Monthly:
    """The fields that tell the first month, the agreed day, and the month that a stop settles."""

    first: str
    day: str
    month: str


@dataclass(frozen=True)
class Target:
    """One promise of one version of a pack."""

    pack: str
    version: int
    policy: str
    name: str
    clause: str
    basis: Basis
    applies: tuple[When, ...]
    """The policy's own start: the matter is of its sort."""
    start: tuple[When, ...]
    stop: tuple[When, ...]
    pause: tuple[When, ...]
    resume: tuple[When, ...]
    cancel: tuple[When, ...]
    limit: int
    unit: Unit
    due_field: str | None = None
    rolls: bool = False
    early_stop: bool = False
    warnings: tuple[WarningStep, ...] = ()
    escalations: tuple[EscalationStep, ...] = ()
    pausable: frozenset[str] = frozenset()
    statutory: bool = False
    title: str | None = None
    reopen: tuple[When, ...] = ()
    reopen_mode: ReopenMode = "resume"
    caps: tuple[PauseCap, ...] = ()
    extension: Extending | None = None
    monthly: Monthly | None = None
    no_later_than: tuple[int, Unit] | None = None
    later: LaterPromise = "never"
    given: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """What its pack says of it, or of all its targets; of a target that it refines, it takes the rest."""

    @property
    def is_agreed(self) -> bool:
        """Whether the deadline is agreed for each clock, instead of counted from a limit."""
        return self.due_field is not None or self.monthly is not None

    @property
    def key(self) -> tuple[str, str]:
        """What it is about; a branch's pack refines the baseline's target of the same key."""
        return self.policy, self.name

    @property
    def clause_text(self) -> str:
        """The clause as events and pages show it; a limit of our own is never shown as a regulation's."""
        return self.clause if self.basis == "clause" else f"suite default ({self.clause})"


@dataclass(frozen=True)
class Pack:
    """One version of a pack, checked."""

    name: str
    version: int
    effective_from: date
    title: str
    source: str | None
    targets: tuple[Target, ...] = field(repr=False)
    running: Running = "keep"


def resolve(document: PackDocument) -> Pack:
    """The pack with every default and every policy-wide trigger written out at each target."""
    return Pack(
        name=document.pack,
        version=document.version,
        effective_from=document.effective_from,
        title=document.title,
        source=document.source,
        targets=tuple(
            _target(document, policy_name, policy, name, target)
            for policy_name, policy in document.policies.items()
            for name, target in policy.targets.items()
        ),
        running=document.running,
    )


def _target(document: PackDocument, policy_name: str, policy: PolicyPart, name: str, part: TargetPart) -> Target:
    defaults = document.defaults
    warnings = defaults.warn_at if part.warn_at is None else part.warn_at
    escalations = defaults.escalate if part.escalate is None else part.escalate
    pausable = defaults.pausable if part.pausable is None else part.pausable
    pausable = [] if part.statutory else pausable
    return Target(
        pack=document.pack,
        version=document.version,
        policy=policy_name,
        name=name,
        clause=part.clause,
        basis=part.basis,
        applies=_resolved(policy.start),
        start=_resolved(policy.start if part.start is None else part.start),
        stop=_resolved([*policy.stop, *part.stop]),
        pause=_resolved(policy.pause),
        resume=_resolved(policy.resume),
        cancel=_resolved(policy.cancel),
        limit=part.limit or 0,
        unit=part.unit or "calendar_hours",
        due_field=part.due,
        rolls=part.rolls is not None,
        early_stop=part.early_stop,
        warnings=tuple(WarningStep(each.percent, each.before) for each in warnings),
        escalations=tuple(
            EscalationStep(level, each.role, each.after, each.unit) for level, each in enumerate(escalations, 1)
        ),
        pausable=frozenset(each.reason for each in pausable),
        statutory=part.statutory,
        title=part.title,
        reopen=_resolved(policy.reopen),
        reopen_mode=_reopen_mode(part, defaults),
        caps=tuple(PauseCap(each.reason, each.at_most, each.unit) for each in pausable if each.at_most and each.unit),
        extension=_extending(part, defaults),
        monthly=None if part.monthly is None else Monthly(part.monthly.first, part.monthly.day, part.monthly.month),
        no_later_than=None if part.no_later_than is None else (part.no_later_than.limit, part.no_later_than.unit),
        later=part.later,
        given=frozenset(part.model_fields_set | defaults.model_fields_set),
    )


def _reopen_mode(part: TargetPart, defaults: Defaults) -> ReopenMode:
    mode = part.reopen_mode or defaults.reopen_mode
    # The time in which a matter was closed would be a pause, which a duty by law does not know.
    return "new_cycle" if part.statutory and mode == "resume" else mode


def _extending(part: TargetPart, defaults: Defaults) -> Extending | None:
    extension = defaults.extension if part.extension is None else part.extension
    is_counted = part.due is None and part.monthly is None
    if extension is None or extension == "none" or part.statutory or not is_counted or not part.limit:
        return None
    return Extending(extension.role, extension.most or part.limit)


def _resolved(triggers: list[TriggerPart]) -> tuple[When, ...]:
    return tuple(When(each.event, each.at, tuple(each.when.items()), each.reason, each.until) for each in triggers)
