"""What the requester is told: notify words it and finds the way, for intake alone knows who they are."""

from collections.abc import Mapping
from typing import Literal

from shouwen.contracts.case import CaseNoticeRequested
from shouwen.intake.store import facts
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.unit_of_work import Transaction

Notice = Literal["handover", "extension", "survey", "suggestion_decision", "progress", "reply"]


async def request_notice(
    tx: Transaction, filed: Filed, notice: Notice, *, protection: Protection, values: Mapping[str, str]
) -> None:
    """Have the requester told, inside the case's own trace; see CaseNoticeRequested for the values of each notice.

    An anonymous requester cannot be told: then nothing is emitted.
    """
    case, particulars = filed.case, filed.protected.open(protection)
    known = {
        "name": particulars.requester_name,
        "email": particulars.requester_email,
        "phone": particulars.requester_phone,
    }
    reachable = {name: value for name, value in known.items() if value is not None}
    if reachable.keys() <= {"name"}:
        return
    with telemetry.continued(case.traceparent, f"request notice {notice}", case_id=str(case.id), branch=case.branch):
        fact = CaseNoticeRequested(
            branch=case.branch,
            case_id=case.id,
            number=case.number,
            requested_at=tx.now,
            notice=notice,
            owner=case.owner,
            sealed=protection.seal.seal({**values, **reachable}),
        )
        await facts.add_fact(tx, tx.emit(fact), actor=None if tx.principal is None else tx.principal.person)
