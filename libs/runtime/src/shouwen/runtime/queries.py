"""Named SQL statements from a package's ``.sql`` file.

Each statement begins with ``-- name: verb_noun`` and a line that says what it is for, and ends before the next name::

    -- name: add_case
    -- Register a case under its number.
    INSERT INTO cases (id, number) VALUES ($1, $2);
"""

import re
from collections.abc import Iterator, Mapping
from importlib import resources

_NAME = re.compile(r"^--\s*name:\s*(?P<name>[a-z][a-z0-9_]*)\s*$", re.MULTILINE)


class UnknownQuery(AttributeError):
    """No statement of that name is in the file."""


class Queries:
    """The statements of one file, as attributes: ``queries.add_case``."""

    def __init__(self, origin: str, statements: Mapping[str, str]) -> None:
        self._origin = origin
        self._statements = dict(statements)

    def __getattr__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise UnknownQuery(f"{self._origin} has no statement named {name}") from None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each name with its statement."""
        return iter(self._statements.items())


def load(package: str, resource: str = "sql/queries.sql") -> Queries:
    """Read the statements of ``resource`` inside ``package``.

    Raises:
        FileNotFoundError: the package has no such file.
        ValueError: two statements have the same name, or one is empty.
    """
    return parse((resources.files(package) / resource).read_text(encoding="utf-8"), origin=f"{package}/{resource}")


def parse(text: str, *, origin: str) -> Queries:
    """Split a file's text into its statements; ``origin`` names the file in errors."""
    found: dict[str, str] = {}
    marks = list(_NAME.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        name = mark["name"]
        block = text[mark.end() : following.start() if following else len(text)]
        lines = [line for line in block.splitlines() if not line.lstrip().startswith("--")]
        statement = "\n".join(lines).strip().removesuffix(";").strip()
        if not statement:
            raise ValueError(f"{origin}: statement {name} is empty")
        if name in found:
            raise ValueError(f"{origin}: two statements are named {name}")
        found[name] = statement
    return Queries(origin, found)
