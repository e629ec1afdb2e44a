"""Tables of persons and departments: all of them enter the directory, or none."""

from collections.abc import Sequence

from shouwen.intake.domain.directory import Department, Person, Stored, key_of
from shouwen.intake.domain.table import Row
from shouwen.intake.handlers import directory
from shouwen.intake.handlers.directory import EntriesRefused, Written
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import FieldProblem, Invalid
from shouwen.runtime.unit_of_work import Transaction

MOST_PROBLEMS = 200


class TableWrong(Invalid):
    """Cells are wrong, so nothing was changed."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self._problems = tuple(problems[:MOST_PROBLEMS])
        super().__init__(
            f"{len(problems)} cells are wrong; nothing was changed.",
            remedy="Correct each, and send the whole file again; check=true only looks.",
        )

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """Each wrong cell with its row, its column and the remedy."""
        return self._problems


class OnlyChecked(Exception):
    """The table is right; it was only to be checked."""

    def __init__(self, written: Written) -> None:
        self.written = written
        super().__init__()


async def import_entries(
    tx: Transaction,
    rows: Sequence[tuple[Row, Person]] | Sequence[tuple[Row, Department]],
    *,
    only_check: bool,
    protection: Protection,
) -> Written:
    """Describe every row's entry; who is not in the table stays as they are.

    A check does the same and undoes it, so that it finds what the real thing would find.

    Raises:
        OnlyChecked: all rows are right and were only to be checked.
        TableWrong: names every wrong cell.
        Forbidden: the caller does not keep one of the branches.
    """
    _require_each_once(rows)
    persons = [Stored(entry, "api") for _, entry in rows if isinstance(entry, Person)]
    departments = [Stored(entry, "api") for _, entry in rows if isinstance(entry, Department)]
    try:
        written = (
            await directory.describe_persons(tx, persons, protection=protection)
            if persons
            else await directory.describe_departments(tx, departments, protection=protection)
        )
    except EntriesRefused as error:
        raise TableWrong(
            [
                FieldProblem(row.place(each.field), each.problem, each.remedy)
                for (row, _), found in zip(rows, error.found, strict=True)
                for each in found
            ]
        ) from None
    if only_check:
        raise OnlyChecked(written)
    return written


def _require_each_once(rows: Sequence[tuple[Row, Person | Department]]) -> None:
    first: dict[str, int] = {}
    problems: list[FieldProblem] = []
    for row, entry in rows:
        at = first.setdefault(key_of(entry), row.number)
        if at != row.number:
            field = "person" if isinstance(entry, Person) else "department"
            problems.append(FieldProblem(row.place(field), f"stands in row {at} already", "Remove one of the two."))
    if problems:
        raise TableWrong(problems)
