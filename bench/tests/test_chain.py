"""Effects are paired with the matters that caused them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from bench.chain import delays
from bench.payload import registered
from bench.tap import Seen
from shouwen.contracts.clock import ClockStarted
from shouwen.contracts.event import CloudEvent, Event
from shouwen.contracts.message import DeliveryChannel, MessageSent

POSTED = 1000.0


def seen(fact: Event, at: float) -> Seen:
    return Seen(CloudEvent.of(fact, source="/shouwen/test"), seen_at=at, handed_at=at)


def started(subject: str) -> ClockStarted:
    now = datetime.now(UTC)
    return ClockStarted(
        branch="beijing",
        clock_id=uuid4(),
        timed_subject=subject,
        pack="group-baseline",
        policy="complaint",
        target="first_response",
        clause="004 三(六)",
        cycle=1,
        started_at=now,
        due_at=now,
        provisional=False,
    )


def sent(subject: str, template: str, channel: DeliveryChannel, at: float) -> MessageSent:
    return MessageSent(
        branch="beijing",
        message_id=uuid4(),
        about=subject,
        cause="an event",
        recipient="bj.clerk",
        channel=channel,
        template=template,
        sent_at=datetime.fromtimestamp(at, UTC),
    )


def intent(case_id: UUID, case_type: str = "complaint") -> dict[str, Any]:
    return {"id": str(case_id), "type": case_type, "posted_at": POSTED}


def test_a_matter_is_armed_when_its_last_clock_runs_and_told_with_its_first_message():
    event = registered()
    subject = event.data.subject
    found = delays(
        [intent(event.data.case_id)],
        [
            seen(event.data, POSTED + 1),
            seen(started(subject), POSTED + 2),
            seen(started(subject), POSTED + 3),
            seen(sent(subject, "case_registered", "inbox", POSTED + 3.5), POSTED + 4),
            seen(sent(subject, "case_registered", "email", POSTED + 5), POSTED + 6),
            seen(started(f"case/{uuid4()}"), POSTED + 9),
        ],
    )
    assert found.seconds["registered"] == [1]
    assert found.seconds["armed"] == [3]
    assert found.seconds["told"] == [4]
    assert found.seconds["told_recorded"] == [3.5]
    assert found.seconds["mailed"] == [6]
    assert found.seconds["breached"] == []
    assert found.missing == {"clocks": 0, "inbox message": 0}


def test_an_effect_that_was_never_seen_is_counted_as_missing():
    found = delays([intent(uuid4(), "complaint"), intent(uuid4(), "suggestion")], [])
    # A suggestion need not have a clock.
    assert found.missing == {"clocks": 1, "inbox message": 2}
