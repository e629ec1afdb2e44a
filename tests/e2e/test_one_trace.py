"""One complaint is one trace: from the first request over four services to a timer that fired after a restart."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from support import Person, until

from shouwen.embedded.suite import Suite

SERVICES = {"intake", "sla", "notify", "review"}


@pytest.mark.req("X-04")
async def test_one_complaint_is_one_trace_through_four_services_and_a_timer_that_outlived_a_restart(
    suite: Suite, person: Callable[..., Person], http: httpx.AsyncClient
) -> None:
    clerk = person("cd.clerk", "chengdu", "clerk")
    # The talent centre's 24 hours (001 §20) end shortly after registration: the letter came almost a day ago.
    received = datetime.now(UTC) - timedelta(hours=24) + timedelta(seconds=12)
    complaint = {
        "type": "complaint",
        "channel": "letter",
        "branch": "chengdu",
        "severity": "ordinary",
        "subject": "档案转递迟延",
        "description": "来信反映档案一个月仍未寄出。",
        "received_at": received.isoformat(),
        "requester": {"name": "罗小芳", "phone": "13980020001", "relation": "other"},
        "client": {"name": "成都蜀锦餐饮管理有限公司", "identifier": "91510100MA61K2L3MG"},
    }
    case = await clerk.register(complaint)
    subject = f"case/{case['id']}"

    async def clocks() -> list[dict[str, Any]]:
        return (await clerk.get("sla", "/api/clocks", subject=subject))["items"]

    armed = await until(clocks, lambda found: found)
    assert all(clock["trace_id"] == case["trace_id"] for clock in armed)
    assert not any(clock["breached"] for clock in armed), "the timer is to fire after the restart, not before"
    suite.restart("sla")
    await until(clocks, lambda found: any(clock["target"] == "resolution" and clock["breached"] for clock in found))

    replied = await clerk.post("intake", f"/api/cases/{case['number']}/reply", {"text": "您好，已联系转递部门。"})
    assert replied.status_code == 200, replied.text
    manager = person("cd.manager", "chengdu", "manager")

    async def breach_mail() -> list[dict[str, Any]]:
        found = (await manager.get("notify", "/api/deliveries", subject=subject))["items"]
        return [delivery for delivery in found if delivery["template"] == "clock_breached"]

    told = await until(breach_mail, lambda found: {"cd.clerk", "cd.manager"} <= {one["recipient"] for one in found})
    assert {one["trace_id"] for one in told} == {case["trace_id"]}

    async def traces() -> list[list[dict[str, Any]]]:
        query = {"annotationQuery": f"shouwen.case.id={case['id']}", "lookback": 3_600_000, "limit": 100}
        return (await http.get(f"{suite.access.zipkin}/api/v2/traces", params=query)).json()

    def complete(found: list[list[dict[str, Any]]]) -> bool:
        spans = [span for trace in found for span in trace]
        services = {span["localEndpoint"]["serviceName"] for span in spans}
        names = {span["name"] for span in spans}
        return services == SERVICES and "fire clock" in names and "send email" in names and not _orphans(spans)

    [trace] = await until(traces, complete)
    assert {span["traceId"] for span in trace} == {case["trace_id"]}
    fired = [span for span in trace if span["name"] == "fire clock"]
    assert fired, "the timer's own span is in the trace"
    spans = {span["id"]: span for span in trace}
    mail = next(span for span in trace if span["name"] == "send email" and _below(span, fired, spans))
    assert mail["localEndpoint"]["serviceName"] == "notify"


def _orphans(spans: list[dict[str, Any]]) -> list[str]:
    known = {span["id"] for span in spans}
    return [span["name"] for span in spans if span.get("parentId") and span["parentId"] not in known]


def _below(span: dict[str, Any], ancestors: list[dict[str, Any]], spans: dict[str, dict[str, Any]]) -> bool:
    """Whether one of the ancestors is on the way from the span to the root."""
    wanted = {ancestor["id"] for ancestor in ancestors}
    while parent := span.get("parentId"):
        if parent in wanted:
            return True
        span = spans[parent]
    return False
