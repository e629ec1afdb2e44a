"""A branch starts only the service it needs, and that service does its job without the others."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from support import Person, temporary_home, until

from shouwen.contracts.case import CaseRegistered
from shouwen.contracts.catalogue import ServiceName
from shouwen.contracts.event import CloudEvent
from shouwen.contracts.group import EmploymentStarted
from shouwen.contracts.publisher import publish
from shouwen.embedded.ports import Ports
from shouwen.embedded.suite import Suite

NOW = datetime.now(UTC)


@asynccontextmanager
async def _alone(service: ServiceName) -> AsyncGenerator[tuple[Suite, Callable[..., Person]]]:
    with temporary_home() as home, Suite(home, only=[service], ports=Ports.free(), traces=False) as suite:
        async with httpx.AsyncClient(timeout=30) as http:

            def person(name: str, branch: str, *roles: str) -> Person:
                return Person(suite.access, http, name, branch, *roles)

            yield suite, person


@pytest.mark.req("X-01", "S-13")
async def test_sla_alone_warns_of_the_thirty_days_of_an_employment_from_a_payroll_system() -> None:
    async with _alone("sla") as (suite, person):
        subject = "employment/payroll-1"
        started = EmploymentStarted(branch="beijing", owner="bj.clerk", started_on=date.today() - timedelta(days=20))  # noqa: DTZ011
        await publish(suite.kafka_bootstrap, CloudEvent.of(started, source="/payroll", subject=subject))
        clerk = person("bj.clerk", "beijing", "clerk")

        async def clocks() -> list[str]:
            found = (await clerk.get("sla", "/api/clocks", subject=subject))["items"]
            return [clock["target"] for clock in found if clock["state"] == "running"]

        assert "social_insurance_registration" in await until(clocks, bool)


@pytest.mark.req("X-01", "I-01")
async def test_intake_alone_registers_a_matter_and_keeps_its_events_for_whoever_comes_later() -> None:
    async with _alone("intake") as (_, person):
        clerk = person("bj.clerk", "beijing", "clerk")
        matter = {
            "type": "inquiry",
            "channel": "phone",
            "branch": "beijing",
            "subject": "咨询社保转移",
            "description": "来电咨询。",
            "requester": {"name": "张三", "phone": "13800000000", "relation": "dispatched_employee"},
        }
        number = (await clerk.register(matter))["number"]
        timeline = (await clerk.get("intake", f"/api/cases/{number}/timeline"))["items"]
        assert [entry["type"] for entry in timeline] == ["case.registered.v1"]


@pytest.mark.req("X-01")
async def test_notify_alone_tells_the_owner_of_a_case_that_any_register_publishes() -> None:
    async with _alone("notify") as (suite, person):
        case = CaseRegistered(
            branch="beijing",
            case_id=uuid4(),
            number="BJ-2026-000001",
            case_type="complaint",
            severity="ordinary",
            channel="phone",
            received_at=NOW,
            registered_at=NOW,
            registrar="bj.clerk",
            owner="bj.clerk",
            promised_at=None,
        )
        event = CloudEvent.of(case, source="/another/register")
        await publish(suite.kafka_bootstrap, event)
        operator = person("operator", "beijing", "operator", "manager")

        async def mails() -> list[str]:
            return [mail["recipient"] for mail in (await operator.get("notify", "/api/mailbox"))["items"]]

        assert await until(mails, bool) == ["bj.clerk@example.com"]


@pytest.mark.req("X-01", "V-05")
async def test_review_alone_answers_whether_a_client_may_be_served() -> None:
    async with _alone("review") as (_, person):
        client = {"name": "广州诚鑫达商贸有限公司", "identifier": "91440101MA9W1X2Y3J"}
        clerk = person("bj.clerk", "beijing", "clerk")
        answer = await clerk.post("review", "/api/screen", client)
        assert answer.status_code == 200, answer.text
        assert answer.json()["allowed"] is True
        proposal = {**client, "branch": "beijing", "reason_code": "forged_documents", "reason": "证明系伪造"}
        entry = (await clerk.post("review", "/api/list-entries", proposal)).json()["id"]
        general = person("bj.general", "beijing", "general_manager")
        assert (await general.post("review", f"/api/list-entries/{entry}/confirm", None)).status_code == 200
        refused = (await clerk.post("review", "/api/screen", client)).json()
        assert (refused["allowed"], refused["reason_code"]) == (False, "forged_documents")
