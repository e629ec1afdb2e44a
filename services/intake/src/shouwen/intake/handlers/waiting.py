"""Waits that end by themselves: the answer was expected until a moment, and the moment has come."""

from shouwen.intake.domain import commands as life
from shouwen.intake.handlers.shared import record
from shouwen.intake.store import cases
from shouwen.runtime.unit_of_work import Transaction


async def end_waits(tx: Transaction, limit: int) -> int:
    """Let cases go on whose answer was expected until now; the answer is how many were looked at."""
    found = await cases.waited_enough(tx, limit)
    # In the order of their ids, as everybody locks who locks several cases.
    for case_id in sorted(found):
        filed = await cases.lock_case_by_id(tx, case_id)
        if filed is not None and life.has_waited_enough(filed.case, now=tx.now):
            changed, fact = life.end_wait(filed.case)
            await record(tx, filed.case, changed, fact, "end wait")
    return len(found)
