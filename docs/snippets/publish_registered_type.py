"""Tell Shouwen of a fact whose type you registered with sla. Needs: pip install 'shouwen-contracts[publish]'."""

import asyncio
import os
from datetime import UTC, datetime
from typing import ClassVar

from shouwen.contracts.event import CloudEvent, Instant
from shouwen.contracts.group import GroupFact
from shouwen.contracts.publisher import connected


class PermitFiled(GroupFact):
    """A permit was applied for; its fields are those that were registered."""

    event_type: ClassVar[str] = "permit.filed.v1"

    filed_at: Instant


async def main() -> None:
    fact = PermitFiled(branch="beijing", owner="bj.coordinator", filed_at=datetime.now(UTC))
    event = CloudEvent.of(fact, source="/permits", subject="permit/2026-0012", event_id="permits-4711")
    async with connected(os.environ.get("KAFKA", "127.0.0.1:9092"), prefix=os.environ.get("STREAM_PREFIX", "")) as bus:
        await bus.publish(event)


asyncio.run(main())
