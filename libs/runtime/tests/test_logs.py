"""Logs are JSON with the trace's ids, and hold neither secrets nor what people have entered."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shouwen.runtime import logs, telemetry
from shouwen.runtime.errors import Refused

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJiai5jbGVyayJ9.c2lnbmF0dXJl"


@pytest.fixture
def lines() -> Iterator[Any]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    logs.setup("tests", "INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = before, level
    logs.setup_for_tests()


def test_a_line_tells_time_level_service_and_trace(lines: Any):
    telemetry.setup("tests")
    with telemetry.spanned("work"):
        structlog.stdlib.get_logger("shouwen.x").info("registered", number="BJ-1")
        trace_id = telemetry.current_trace_id()
    [line] = lines()
    assert line["event"] == "registered"
    assert (line["service"], line["level"], line["logger"]) == ("tests", "info", "shouwen.x")
    assert line["trace_id"] == trace_id
    assert len(line["span_id"]) == 16
    assert line["time"].endswith("Z")
    assert line["number"] == "BJ-1"


def test_the_standard_librarys_loggers_come_out_alike(lines: Any):
    logging.getLogger("asyncpg").warning("connection %s lost", 7)
    [line] = lines()
    assert line["event"] == "connection 7 lost"
    assert line["service"] == "tests"


def test_tokens_passwords_and_secrets_are_removed(lines: Any):
    log = structlog.stdlib.get_logger("shouwen.x")
    log.info(f"got Authorization: Bearer {TOKEN}", url="postgresql://app:geheim@db/x", token=TOKEN, nested={"a": TOKEN})
    logging.getLogger("other").info("header %s", f"Bearer {TOKEN}")
    log.info("x", headers={"authorization": "Basic Z2VoZWltOmdlaGVpbQ=="}, listed=[f"Bearer {TOKEN}"])
    text = json.dumps(lines())
    assert "eyJ" not in text
    assert "geheim" not in text
    assert "Z2VoZWlt" not in text


def test_an_unexpected_error_is_told_by_kind_and_frames_without_its_text(lines: Any):
    def fails() -> None:
        raise ValueError("Key (phone)=(13800138000) already exists")

    try:
        fails()
    except ValueError as error:
        structlog.stdlib.get_logger("shouwen.x").error("failed", exc_info=error)
        logging.getLogger("other").exception("failed too")
    text = json.dumps(lines())
    assert "13800138000" not in text
    for line in lines():
        assert line["exception"]["kind"] == "builtins.ValueError"
        assert line["exception"]["frames"][-1].endswith("fails")


def test_our_own_errors_keep_their_text_and_their_cause(lines: Any):
    try:
        try:
            raise KeyError("13800138000")
        except KeyError as cause:
            raise Refused("The case is closed.", field="state") from cause
    except Refused as error:
        structlog.stdlib.get_logger("shouwen.x").error("refused", exc_info=error)
    [line] = lines()
    assert line["exception"]["text"] == "state: The case is closed."
    assert line["exception"]["cause"]["kind"] == "builtins.KeyError"
    assert "13800138000" not in json.dumps(line)


def test_a_lost_broker_does_not_flood_the_log(lines: Any):
    for _ in range(500):
        logging.getLogger("aiokafka.conn").error("Unable to connect to node %s", 1)
        logging.getLogger("shouwen.x").error("each of ours counts")
    found = [line["event"] for line in lines()]
    assert found.count("Unable to connect to node 1") == 1
    assert found.count("each of ours counts") == 500
