"""Many letters at once: all of them enter the register, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.registration import Registration
from shouwen.intake.domain.table import Row
from shouwen.intake.handlers.registration import register_case
from shouwen.intake.handlers.shared import KeyUsedOtherwise, Once
from shouwen.intake.store import directory
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.errors import FieldProblem, Forbidden, Invalid, Refused
from shouwen.runtime.unit_of_work import Transaction

MOST_PROBLEMS = 200


class RowsWrong(Invalid):
    """Rows are wrong, so none was registered."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self._problems = tuple(problems[:MOST_PROBLEMS])
        super().__init__(
            f"{len(problems)} cells or rows are wrong; nothing was registered.",
            remedy="Correct each, and send the whole file again under the same Idempotency-Key.",
        )

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """Each wrong cell with its row, its column and the remedy."""
        return self._problems


class OnlyChecked(Exception):
    """The rows are right; they were only to be checked."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A row that entered the register."""

    row: int
    case: Case
    is_new: bool


async def zones(tx: Transaction) -> Mapping[str, str]:
    """The time zone of each of the caller's branches."""
    return {each.entry.branch: each.entry.time_zone for each in await directory.branches(tx)}


async def register_rows(
    tx: Transaction,
    rows: Sequence[tuple[Row, Registration]],
    *,
    key: str,
    request_hash: str,
    only_check: bool,
    protection: Protection,
) -> list[Entered]:
    """Register each row as a case with a trace of its own. The branch's other registrations wait until the end.

    A check does the same and undoes it, so that it finds what the real thing would find.

    Raises:
        OnlyChecked: all rows are right and were only to be checked.
        RowsWrong: names every wrong row.
        Forbidden: the caller may not register at all.
        KeyUsedOtherwise: the key was used for another file.
    """
    entered: list[Entered] = []
    problems: list[FieldProblem] = []
    for row, registration in rows:
        once = Once(key=f"{key}/{row.number}", request_hash=request_hash)
        try:
            with telemetry.continued(telemetry.child_traceparent(None), "register letter", branch=registration.branch):
                registered = await register_case(tx, registration, once=once, protection=protection)
        except (Forbidden, KeyUsedOtherwise) as error:
            if isinstance(error, KeyUsedOtherwise) or error.field is None:
                raise
            problems.append(_problem(row, error))
        except Refused as error:
            problems.append(_problem(row, error))
        else:
            entered.append(Entered(row.number, registered.case, registered.is_new))
    if problems:
        raise RowsWrong(problems)
    if only_check:
        raise OnlyChecked
    return entered


def _problem(row: Row, error: Refused) -> FieldProblem:
    return FieldProblem(row.place(error.field or ""), error.detail, error.remedy or "")
