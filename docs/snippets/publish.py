"""Tell Shouwen of a work injury. Needs: pip install 'shouwen-contracts[publish]'."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

from shouwen.contracts.event import CloudEvent
from shouwen.contracts.group import InjuryReported
from shouwen.contracts.publisher import connected


async def main() -> None:
    now = datetime.now(UTC)
    fact = InjuryReported(
        branch="beijing",
        owner="bj.coordinator",
        occurred_at=now - timedelta(hours=3),
        reported_at=now,
    )
    # The subject is your own name for the matter; later facts about it carry the same one. Give the event an id of
    # your own (as the key of your database row): publishing it again then has no second effect.
    event = CloudEvent.of(fact, source="/hr-core", subject="injury/2026-0012", event_id="hr-core-4711")
    async with connected(os.environ.get("KAFKA", "127.0.0.1:9092"), prefix=os.environ.get("STREAM_PREFIX", "")) as bus:
        await bus.publish(event)


asyncio.run(main())
