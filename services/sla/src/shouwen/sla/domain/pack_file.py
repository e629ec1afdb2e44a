"""Reading a pack's YAML: every mistake is told at once, each with its line, field and remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from shouwen.contracts.catalogue import BY_TYPE
from shouwen.sla.domain.allowance import UNITS
from shouwen.sla.domain.fact import EVENT_TIME
from shouwen.sla.domain.pack import FieldTest, Pack, PackDocument, PolicyPart, TargetPart, TriggerPart, resolve
from shouwen.sla.domain.yaml_text import BadFile, Mistake, Path, YamlText


@dataclass(frozen=True, slots=True)
class EventField:
    """A field of an event type, as conditions may use it."""

    name: str
    is_instant: bool
    values: frozenset[str] = frozenset()
    """The values it may have; empty when any."""


EventTypes = Mapping[str, Mapping[str, EventField]]
"""The fields of each event type that packs may name."""


class BadPack(BadFile):
    """The pack is not valid."""


@cache
def suite_event_types() -> EventTypes:
    """The event types of the suite's own catalogue."""
    return {event_type: _fields(model.model_json_schema()) for event_type, model in BY_TYPE.items()}


def _fields(schema: Mapping[str, Any]) -> Mapping[str, EventField]:
    fields: dict[str, EventField] = {}
    for name, described in schema["properties"].items():
        alternatives = [described, *described.get("anyOf", [])]
        formats = {each.get("format") for each in alternatives}
        values = frozenset(str(value) for each in alternatives for value in each.get("enum", ()))
        fields[name] = EventField(name, bool(formats & {"date-time", "date"}), values)
    return fields


def read_pack(text: str, *, file: str = "pack", event_types: EventTypes | None = None) -> Pack:
    """Read and check a pack.

    Args:
        text: the YAML.
        file: its name, for messages.
        event_types: the event types it may name; without them the suite's own.

    Raises:
        BadPack: with every mistake found.
    """
    try:
        source = YamlText(text, file)
    except BadFile as error:
        raise BadPack(error.mistakes) from None
    try:
        document = PackDocument.model_validate(source.content)
    except ValidationError as error:
        found = source.validation_mistakes(error, {"unit": f"Use one of {', '.join(UNITS)}."}, _SEE_DOCS)
        raise BadPack([*source.mistakes, *found]) from None
    checker = _Checker(source, event_types or suite_event_types())
    checker.check(document)
    if mistakes := [*source.mistakes, *checker.mistakes]:
        raise BadPack(mistakes)
    return resolve(checker.with_instants(document))


_SEE_DOCS = "See docs/packs.md for the form of a pack."


_TRIGGERS = ("start", "stop", "pause", "resume", "cancel", "reopen")


class _Checker:
    """What the shape alone cannot tell: events exist, fields exist, limits and warnings make sense."""

    def __init__(self, source: YamlText, event_types: EventTypes) -> None:
        self._source = source
        self._event_types = event_types
        self.mistakes: list[Mistake] = []

    def check(self, document: PackDocument) -> None:
        """Note every mistake."""
        for policy_name, policy in document.policies.items():
            at: Path = ("policies", policy_name)
            for kind in _TRIGGERS:
                self._triggers(getattr(policy, kind), (*at, kind))
            for name, target in policy.targets.items():
                self._target(document, policy, target, (*at, "targets", name))

    def with_instants(self, document: PackDocument) -> PackDocument:
        """The same document, each trigger naming the field that tells its time."""

        def named(triggers: list[TriggerPart]) -> list[TriggerPart]:
            return [
                each if each.at else each.model_copy(update={"at": self._only_instant(each.event)}) for each in triggers
            ]

        policies: dict[str, PolicyPart] = {}
        for policy_name, policy in document.policies.items():
            targets = {
                name: target.model_copy(
                    update={
                        "start": None if target.start is None else named(target.start),
                        "stop": named(target.stop),
                    }
                )
                for name, target in policy.targets.items()
            }
            triggers = {kind: named(getattr(policy, kind)) for kind in _TRIGGERS}
            policies[policy_name] = policy.model_copy(update={**triggers, "targets": targets})
        return document.model_copy(update={"policies": policies})

    def _target(self, document: PackDocument, policy: PolicyPart, target: TargetPart, at: Path) -> None:
        if target.start is not None:
            self._triggers(target.start, (*at, "start"))
        self._triggers(target.stop, (*at, "stop"))
        starts = policy.start if target.start is None else target.start
        if not target.stop and not policy.stop:
            self._add(at, "stop", "nothing ever meets this target", "Name the event that does, here or at the policy.")
        if target.due is not None:
            self._due(target, starts, at)
        elif target.monthly is not None:
            self._monthly(target, starts, [*policy.stop, *target.stop], at)
        elif target.limit is None or target.unit is None:
            missing = "limit" if target.limit is None else "unit"
            self._add(
                at,
                missing,
                "has to be given",
                "Give limit and unit, or due: the field that holds the deadline, or monthly.",
            )
        elif target.limit == 0 and target.unit != "calendar_days":
            self._add(at, "limit", "0 leaves no time", "Only calendar_days may be 0: on the day of the start itself.")
        if target.rolls and target.unit != "calendar_days":
            self._add(
                at, "rolls", f"does not apply to {target.unit}", "Remove it: only calendar_days can end on a day off."
            )
        for warning in target.warn_at or ():
            if warning.before is not None and target.limit is not None and warning.before >= target.limit:
                self._add(
                    at,
                    "warn_at",
                    f"{warning.before} {target.unit} before a limit of {target.limit} is at the start",
                    f"Give less than {target.limit}, or a percentage.",
                )
        self._keeps_promises(document, policy, target, at)

    def _keeps_promises(self, document: PackDocument, policy: PolicyPart, target: TargetPart, at: Path) -> None:
        if target.statutory and target.pausable:
            self._add(at, "pausable", "a statutory target never pauses", "Remove pausable, or statutory.")
        if target.statutory and target.extension not in (None, "none"):
            self._add(at, "extension", "a statutory target is never extended", "Remove extension, or statutory.")
        if target.statutory and target.reopen_mode == "resume":
            self._add(
                at, "reopen_mode", "resume would be a pause, which a statutory target has not", "Use new_cycle or none."
            )
        mode = target.reopen_mode or document.defaults.reopen_mode
        if mode == "new_cycle" and policy.reopen and (target.due is not None or target.monthly is not None):
            self._add(
                at,
                "reopen_mode",
                "a new cycle has no agreed time",
                "Use resume or none; the next agreement starts a cycle of its own.",
            )
        if target.due is None and (target.no_later_than is not None or target.later != "never"):
            field = "later" if target.no_later_than is None else "no_later_than"
            self._add(at, field, "is only for an agreed time", "Remove it, or give due.")

    def _due(self, target: TargetPart, starts: Sequence[TriggerPart], at: Path) -> None:
        if target.limit is not None or target.unit is not None:
            self._add(at, "due", "stands beside limit or unit", "Give either the limit with its unit, or due.")
        for start in starts:
            known = self._event_types.get(start.event, {})
            if known and (target.due not in known or not known[str(target.due)].is_instant):
                self._add(
                    at,
                    "due",
                    f"{start.event} has no time named {target.due}",
                    self._one_of(self._instants(start.event)),
                )

    def _monthly(
        self, target: TargetPart, starts: Sequence[TriggerPart], stops: Sequence[TriggerPart], at: Path
    ) -> None:
        if target.limit is not None or target.unit is not None:
            self._add(at, "monthly", "stands beside limit or unit", "Give either the limit with its unit, or monthly.")
        assert target.monthly is not None
        for name, triggers in (("first", starts), ("day", starts), ("month", stops)):
            field = getattr(target.monthly, name)
            for trigger in triggers:
                known = self._event_types.get(trigger.event, {})
                if known and (field not in known or (name != "day" and not known[field].is_instant)):
                    choice = sorted(known) if name == "day" else self._instants(trigger.event)
                    self._add(at, f"monthly.{name}", f"{trigger.event} has no such field {field}", self._one_of(choice))

    def _triggers(self, triggers: Sequence[TriggerPart], at: Path) -> None:
        for index, trigger in enumerate(triggers):
            path = (*at, index) if self._source.has((*at, index)) else at
            fields = self._event_types.get(trigger.event)
            if fields is None:
                self._add(path, "event", f"{trigger.event} is not a known event type", self._nearest(trigger.event))
                continue
            instants = self._instants(trigger.event)
            if trigger.at is None and len(instants) > 1:
                self._add(path, "at", f"{trigger.event} tells several times", self._one_of(instants))
            elif trigger.at is not None and trigger.at not in {*instants, EVENT_TIME}:
                self._add(path, "at", f"{trigger.event} has no time named {trigger.at}", self._one_of(instants))
            if trigger.until is not None and trigger.until not in instants:
                self._add(path, "until", f"{trigger.event} has no time named {trigger.until}", self._one_of(instants))
            for name, test in trigger.when.items():
                self._condition(trigger.event, fields, name, test, path)

    def _condition(self, event: str, fields: Mapping[str, EventField], name: str, test: object, path: Path) -> None:
        if name not in fields:
            self._add(path, f"when.{name}", f"{event} has no field {name}", self._one_of(sorted(fields)))
            return
        wanted = test.not_ if isinstance(test, FieldTest) else test
        values = wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]
        unknown = [str(value) for value in values if fields[name].values and str(value) not in fields[name].values]
        if unknown:
            self._add(
                path, f"when.{name}", f"{', '.join(unknown)} never occurs", self._one_of(sorted(fields[name].values))
            )

    def _instants(self, event: str) -> list[str]:
        return [each.name for each in self._event_types.get(event, {}).values() if each.is_instant]

    def _only_instant(self, event: str) -> str:
        return next(iter(self._instants(event)), EVENT_TIME)

    def _nearest(self, event: str) -> str:
        stem = event.partition(".")[0]
        near = sorted(known for known in self._event_types if known.partition(".")[0] == stem)
        return self._one_of(near or sorted(self._event_types)) + " Another system's type has to be registered first."

    @staticmethod
    def _one_of(names: Sequence[str]) -> str:
        return f"Use one of {', '.join(names)}." if names else "The event tells no time of its own."

    def _add(self, path: Path, field: str, problem: str, remedy: str) -> None:
        self.mistakes.append(self._source.mistake((*path, *field.split(".")), problem, remedy))
