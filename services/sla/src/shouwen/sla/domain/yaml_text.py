"""YAML as text with places: which line a field stands on, for messages that lead straight to a mistake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from shouwen.runtime.errors import FieldProblem, Invalid

Path = tuple[str | int, ...]
_MOST_FIELDS = 20_000
"""Aliases let a short text stand for an endless document; no pack or schedule comes near this."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file."""

    file: str
    line: int
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.problem} {self.remedy}"


class BadFile(Invalid):
    """The file is not valid."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(dict.fromkeys(mistakes), key=lambda each: each.line))
        first = self.mistakes[0]
        super().__init__("\n".join(map(str, self.mistakes)), field=first.field, remedy=first.remedy)

    def __str__(self) -> str:
        return self.detail

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """Each mistake, with its line."""
        return tuple(
            FieldProblem(each.field, f"{each.file}:{each.line}: {each.problem}", each.remedy) for each in self.mistakes
        )


class YamlText:
    """A YAML document, read safely, with the lines of its fields.

    ``mistakes`` holds what is wrong with it as YAML: fields that stand twice.

    Raises:
        BadFile: the text is not YAML.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self._lines: dict[Path, int] = {(): 1}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.content: Any = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            line, problem = _yaml_problem(error)
            raise BadFile([Mistake(file, line, "yaml", problem, "Correct the YAML.")]) from None
        self._noted = 0
        if root is not None:
            self._note(root, ())

    def has(self, path: Path) -> bool:
        """Whether the document has this very field."""
        return path in self._lines

    def nearest(self, path: Path) -> Path:
        """The field itself, or the innermost one around it that the document has."""
        while path not in self._lines:
            path = path[:-1]
        return path

    def mistake(self, path: Path, problem: str, remedy: str) -> Mistake:
        """A mistake at a field, or where the field should stand."""
        return Mistake(self.file, self._lines[self.nearest(path)], dotted(path), f"{problem}.", remedy)

    def validation_mistakes(self, error: ValidationError, remedies: Mapping[str, str], otherwise: str) -> list[Mistake]:
        """What a model found; ``remedies`` by the last part of the field's name, before those by kind of mistake."""
        return [self._shape(each, remedies, otherwise) for each in error.errors(include_url=False)]

    def _shape(self, error: Any, remedies: Mapping[str, str], otherwise: str) -> Mistake:
        path: Path = tuple(part for part in error["loc"] if part != "[key]")
        known = self.nearest(path)
        # Pydantic names the alternatives of a union in the path; what the file does not have is left out, but for the
        # missing field itself.
        is_missing = error["type"] == "missing"
        shown = (*known, path[-1]) if is_missing and known != path else known
        problem = str(error["msg"]).removeprefix("Value error, ")
        problem = "has to be given" if is_missing else problem[:1].lower() + problem[1:]
        remedy = remedies.get(str(known[-1])) if known else None
        return self.mistake(shown, problem, remedy or _REMEDIES.get(error["type"], otherwise))

    def _note(self, node: yaml.Node, path: Path) -> None:
        self._noted += 1
        if self._noted > _MOST_FIELDS:
            problem = f"The document has more than {_MOST_FIELDS} fields."
            raise BadFile([Mistake(self.file, node.start_mark.line + 1, "yaml", problem, "Split it up.")])
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                inner = (*path, name)
                self._lines[inner] = key.start_mark.line + 1
                if name in seen:
                    self.mistakes.append(self.mistake(inner, "stands twice", "Keep one of both entries."))
                seen.add(name)
                self._note(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._note(value, (*path, index))


def dotted(path: Path) -> str:
    """A field's path as people write it."""
    return ".".join(map(str, path)) or "file"


def _yaml_problem(error: Exception) -> tuple[int, str]:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return error.problem_mark.line + 1, f"{error.problem or 'the text cannot be read'}."
    return 1, "the text cannot be read."


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
