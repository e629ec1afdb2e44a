"""The same injury told in three ways: by our Python client, by Kafka's own console producer, and over HTTP."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from support import Person, until

from shouwen.contracts.event import CloudEvent
from shouwen.contracts.group import InjuryReported
from shouwen.contracts.publisher import publish
from shouwen.embedded.java import class_path, java
from shouwen.embedded.maven import jars
from shouwen.embedded.suite import Suite

TOPIC = "group.v1"


@pytest.mark.req("X-07", "S-11")
async def test_an_injury_told_by_client_library_console_producer_or_http_gives_the_same_clocks(
    suite: Suite, person: Callable[..., Person]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    injury = {
        "branch": "beijing",
        "owner": "bj.clerk",
        "occurred_at": (now - timedelta(hours=20)).isoformat(),
        "reported_at": (now - timedelta(hours=2)).isoformat(),
    }
    run = uuid4().hex[:8]
    library, console, web = (f"injury/{run}-{way}" for way in ("library", "console", "http"))

    await publish(
        suite.kafka_bootstrap,
        CloudEvent.of(InjuryReported.model_validate(injury), source="/safety", subject=library, time=now),
    )
    _console_producer(suite.kafka_bootstrap, console, injury, now)
    system = person("safety-system", "beijing", "system")
    envelope = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "type": "injury.reported.v1",
        "source": "/safety",
        "subject": web,
        "time": now.isoformat(),
        "datacontenttype": "application/json",
        "data": injury,
    }
    answer = await system.post("intake", "/api/events", envelope, **{"Content-Type": "application/cloudevents+json"})
    assert answer.status_code in (200, 201, 202), answer.text

    clerk = person("bj.clerk", "beijing", "clerk")

    async def clocks(subject: str) -> set[tuple[Any, ...]]:
        found = (await clerk.get("sla", "/api/clocks", subject=subject))["items"]
        facts = ("pack", "policy", "target", "clause", "state", "breached", "started_at", "due_at")
        return {tuple(clock[fact] for fact in facts) for clock in found}

    def breached(found: set[tuple[Any, ...]]) -> bool:
        return any(clock[2] == "client_notice" and clock[5] for clock in found)

    by_library = await until(lambda: clocks(library), breached)
    by_console = await until(lambda: clocks(console), breached)
    by_http = await until(lambda: clocks(web), breached)
    assert {clock[2] for clock in by_library} == {
        "client_notice",
        "on_site",
        "written_plan",
        "authority_notice",
        "determination_filing",
    }
    assert by_library == by_console == by_http


def _console_producer(bootstrap: str, subject: str, injury: dict[str, str], now: datetime) -> None:
    """Publish with the class behind kafka-console-producer, its headers and key written by hand on one line."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(uuid4()),
        "ce_type": "injury.reported.v1",
        "ce_source": "/safety",
        "ce_subject": subject,
        "ce_time": now.isoformat(),
        "content-type": "application/json",
    }
    head = ",".join(f"{name}={value}" for name, value in headers.items())
    line = f"{head}\t{subject.rpartition('/')[2]}\t{json.dumps(injury)}\n"
    options = {"parse.headers": "true", "parse.key": "true", "headers.key.separator": "="}
    command = [java(), "-Xmx128m", "-cp", class_path(jars("kafka", print)), "org.apache.kafka.tools.ConsoleProducer"]
    command += ["--bootstrap-server", bootstrap, "--topic", TOPIC]
    for name, value in options.items():
        command += ["--reader-property", f"{name}={value}"]
    done = subprocess.run(command, input=line.encode(), timeout=60, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
