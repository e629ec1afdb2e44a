"""The record that the raw hop carries: the very event that a registration puts on the bus, headers included."""

from datetime import UTC, datetime
from uuid import uuid4

from shouwen.contracts.case import CaseRegistered, ClientMention
from shouwen.contracts.event import CloudEvent

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def registered(
    *, branch: str = "beijing", owner: str = "bj.clerk", number: str = "000001"
) -> CloudEvent[CaseRegistered]:
    """A complaint that was registered just now, with a client of usual length."""
    now = datetime.now(UTC)
    fact = CaseRegistered(
        branch=branch,
        case_id=uuid4(),
        number=f"BENCH-{now:%Y}-{number}",
        case_type="complaint",
        severity="ordinary",
        channel="phone",
        relation="dispatched_employee",
        received_at=now,
        registered_at=now,
        registrar=owner,
        owner=owner,
        department="customer-service",
        promised_at=None,
        client=ClientMention(identifier_hash="0" * 64, sealed="x" * 200),
    )
    return CloudEvent.of(fact, source="/shouwen/bench", traceparent=TRACEPARENT)
