"""Reading a pack's YAML: every mistake is told at once, each with its line, field and remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from pydantic import ValidationError

from shouwen.contracts.catalogue import BY_TYPE
from shouwen.runtime.errors import FieldProblem, Invalid
from shouwen.sla.domain.allowance import UNITS
from shouwen.sla.domain.fact import EVENT_TIME
from shouwen.sla.domain.pack import FieldTest, Pack, PackDocument, PolicyPart, TargetPart, TriggerPart, resolve

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class EventField:
    """A field of an event type, as conditions may use it."""

    name: str
    is_instant: bool
    values: frozenset[str] = frozenset()
    """The values it may have; empty when any."""


EventTypes = Mapping[str, Mapping[str, EventField]]
"""The fields of each event type that packs may name."""


@dataclass(frozen=True, slots=True)
class PackProblem:
    """One mistake in a pack."""

    file: str
    line: int
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.problem} {self.remedy}"


class BadPack(Invalid):
    """The pack is not valid."""

    def __init__(self, mistakes: Sequence[PackProblem]) -> None:
        self.mistakes = tuple(mistakes)
        first = self.mistakes[0]
        super().__init__("\n".join(map(str, self.mistakes)), field=first.field, remedy=None)
        self.remedy = first.remedy

    def __str__(self) -> str:
        return self.detail

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """Each mistake, with its line."""
        return tuple(
            FieldProblem(each.field, f"{each.file}:{each.line}: {each.problem}", each.remedy) for each in self.mistakes
        )


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
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line, problem = _yaml_problem(error)
        raise BadPack([PackProblem(file, line, "yaml", problem, "Correct the YAML.")]) from None
    lines: dict[Path, int] = {(): 1}
    mistakes: list[PackProblem] = []
    if root is not None:
        _note_lines(root, (), lines, file, mistakes)
    try:
        document = PackDocument.model_validate(content)
    except ValidationError as error:
        mistakes.extend(_shape_problem(file, lines, each) for each in error.errors(include_url=False))
        raise BadPack(_in_order(mistakes)) from None
    checker = _Checker(file, lines, event_types or suite_event_types())
    checker.check(document)
    mistakes.extend(checker.mistakes)
    if mistakes:
        raise BadPack(_in_order(mistakes))
    return resolve(checker.with_instants(document))


def _in_order(mistakes: list[PackProblem]) -> list[PackProblem]:
    return sorted(dict.fromkeys(mistakes), key=lambda each: each.line)


def _yaml_problem(error: Exception) -> tuple[int, str]:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return error.problem_mark.line + 1, f"{error.problem or 'the text cannot be read'}."
    return 1, "the text cannot be read."


def _note_lines(node: yaml.Node, path: Path, lines: dict[Path, int], file: str, mistakes: list[PackProblem]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if name in seen:
                mistakes.append(
                    PackProblem(file, line, _dotted((*path, name)), "stands twice.", "Keep one of both entries.")
                )
            seen.add(name)
            lines[(*path, name)] = line
            _note_lines(value, (*path, name), lines, file, mistakes)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*path, index), lines, file, mistakes)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path)) or "pack"


_REMEDIES = {
    "missing": "Add it.",
    "extra_forbidden": "Remove it, or correct its spelling.",
    "literal_error": "Use one of the values named.",
    "greater_than_equal": "Correct the number.",
    "less_than_equal": "Correct the number.",
    "int_parsing": "Write a whole number.",
    "int_type": "Write a whole number.",
    "string_pattern_mismatch": "Use lower-case letters, digits and _ (in a pack's name: -).",
    "too_short": "Add at least one entry.",
    "date_from_datetime_parsing": "Write it as 2026-01-01.",
}


def _shape_problem(file: str, lines: Mapping[Path, int], error: Any) -> PackProblem:
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    known = path
    while known not in lines:
        known = known[:-1]
    # Pydantic names the alternatives of a union in the path; what the file does not have is left out, but for the
    # missing field itself.
    shown = (*known, path[-1]) if error["type"] == "missing" and known != path else known
    if error["type"] == "extra_forbidden":
        shown = path if path in lines else shown
    problem = str(error["msg"]).removeprefix("Value error, ")
    problem = "has to be given" if error["type"] == "missing" else problem[:1].lower() + problem[1:]
    remedy = _REMEDIES.get(error["type"], "See docs/packs.md for the form of a pack.")
    if known and known[-1] == "unit":
        remedy = f"Use one of {', '.join(UNITS)}."
    return PackProblem(file, lines[known], _dotted(shown), f"{problem}.", remedy)


class _Checker:
    """What the shape alone cannot tell: events exist, fields exist, limits and warnings make sense."""

    def __init__(self, file: str, lines: Mapping[Path, int], event_types: EventTypes) -> None:
        self._file = file
        self._lines = lines
        self._event_types = event_types
        self.mistakes: list[PackProblem] = []

    def check(self, document: PackDocument) -> None:
        """Note every mistake."""
        for policy_name, policy in document.policies.items():
            at: Path = ("policies", policy_name)
            for kind in ("start", "stop", "pause", "resume", "cancel"):
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
            triggers = {kind: named(getattr(policy, kind)) for kind in ("start", "stop", "pause", "resume", "cancel")}
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
        elif target.limit is None or target.unit is None:
            missing = "limit" if target.limit is None else "unit"
            self._add(at, missing, "has to be given", "Give limit and unit, or due: the field that holds the deadline.")
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
        if target.statutory and target.pausable:
            self._add(at, "pausable", "a statutory target never pauses", "Remove pausable, or statutory.")

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

    def _triggers(self, triggers: Sequence[TriggerPart], at: Path) -> None:
        for index, trigger in enumerate(triggers):
            path = (*at, index) if (*at, index) in self._lines else at
            fields = self._event_types.get(trigger.event)
            if fields is None:
                self._add(path, "event", f"{trigger.event} is not a known event type", self._nearest(trigger.event))
                continue
            instants = self._instants(trigger.event)
            if trigger.at is None and len(instants) > 1:
                self._add(path, "at", f"{trigger.event} tells several times", self._one_of(instants))
            elif trigger.at is not None and trigger.at not in {*instants, EVENT_TIME}:
                self._add(path, "at", f"{trigger.event} has no time named {trigger.at}", self._one_of(instants))
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
        full = (*path, *field.split("."))
        known = full
        while known not in self._lines:
            known = known[:-1]
        self.mistakes.append(PackProblem(self._file, self._lines[known], _dotted(full), f"{problem}.", remedy))
