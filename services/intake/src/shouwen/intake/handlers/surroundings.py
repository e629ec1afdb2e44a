"""What lies around a case beside its own fields: shown with it, and read in one place."""

from collections.abc import Sequence
from dataclasses import dataclass

from shouwen.intake.store import runs
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.runs import Run
from shouwen.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A case's earlier runs."""

    runs: Sequence[Run] = ()


NONE = Surroundings()


async def surroundings(tx: Transaction, filed: Filed) -> Surroundings:
    """What is shown with a case, as far as there is any: most cases have nothing around them."""
    case = filed.case
    return Surroundings(runs=await runs.runs(tx, case.id) if case.cycle > 1 else ())
