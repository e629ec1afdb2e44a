"""``shouwen demo``: plays a realistic day of three branches through the running services and says where to look.

Everything goes through the doors a user has: the REST APIs, and Kafka for what other group systems publish.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import yaml
from pydantic import BaseModel, ConfigDict

from shouwen.contracts.catalogue import parse_data
from shouwen.contracts.event import CloudEvent, Event
from shouwen.contracts.publisher import publish
from shouwen.embedded import steps
from shouwen.embedded.access import Access
from shouwen.embedded.reconcile import until_at_rest
from shouwen.embedded.steps import PREFIXES, Step

SETTLE_SECONDS = 60
ZONE = ZoneInfo("Asia/Shanghai")
"""The zone of all three branches."""


class DemoFailed(Exception):
    """A step of the demo was answered with an error; the message holds the answer."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Requester(_Strict):
    """Who speaks."""

    name: str
    phone: str
    relation: str
    email: str | None = None


class Client(_Strict):
    """A client company."""

    name: str
    identifier: str


class ListedClient(Client):
    """The client that is put on the list of dishonest clients before the day begins."""

    reason_code: str
    reason: str


class GroupFact(_Strict):
    """What another group system publishes; the times are minutes before now."""

    type: str
    subject: str
    branch: str
    owner: str | None = None
    occurred: int | None = None
    reported: int | None = None
    submitted: int | None = None
    days_ago: int | None = None


class Matter(_Strict):
    """One matter of the day; ``received`` and ``promise`` are minutes before and after now."""

    branch: str
    type: str
    channel: str
    severity: str | None = None
    subject: str
    description: str
    received: int
    requester: Requester
    client: str | None = None
    promise: int | None = None
    steps: list[Step] = []


class Day(_Strict):
    """The script of the day."""

    blacklisted: ListedClient
    clients: dict[str, Client]
    group_events: list[GroupFact]
    matters: list[Matter]


def script() -> Day:
    """The day that travels with the launcher."""
    text = resources.files("shouwen.embedded").joinpath("evaluation/demo_day.yaml").read_text(encoding="utf-8")
    return Day.model_validate(yaml.safe_load(text))


async def play(access: Access, day: Day) -> None:
    """Play the day and print what happened.

    Raises:
        DemoFailed: a service answered something else than the day expects.
    """
    async with httpx.AsyncClient(timeout=30) as http:
        demo = _Demo(access, http, day)
        await demo.list_dishonest_client()
        await demo.publish_group_events()
        cases = [case for matter in day.matters if (case := await demo.register(matter))]
        await demo.summary(cases)


class _Demo:
    def __init__(self, access: Access, http: httpx.AsyncClient, day: Day) -> None:
        self.access = access
        self.http = http
        self.day = day
        self.run = uuid4().hex[:8]
        self.subjects: list[str] = []

    async def list_dishonest_client(self) -> None:
        """Two persons put a client on the list (002 六5)."""
        listed = self.day.blacklisted
        proposal = {
            "identifier": listed.identifier,
            "name": listed.name,
            "reason_code": listed.reason_code,
            "reason": listed.reason,
            "branch": "beijing",
        }
        response = await self._post("review", "/api/list-entries", "bj.clerk", ["clerk"], "beijing", proposal)
        if response.status_code == 409:
            print(f"失信名单  {listed.name} 已在名单上")
            return
        entry = self._expect(response, 200, 201)["id"]
        confirm = f"/api/list-entries/{entry}/confirm"
        response = await self._post("review", confirm, "bj.general", ["general_manager"], "beijing", {})
        self._expect(response, 200, 201)
        print(f"失信名单  {listed.name} 由 bj.clerk 提出、bj.general 确认，原因 {listed.reason_code}")
        # The list reaches intake as an event; the refusal at the end of the day is meant to show it.
        await self._until_listed(listed)

    async def _until_listed(self, listed: ListedClient) -> None:
        question = {"identifier": listed.identifier, "name": listed.name}
        response = await self._post("review", "/api/screen", "bj.clerk", ["clerk"], "beijing", question)
        self._expect(response, 200)

    async def publish_group_events(self) -> None:
        """What other systems of the group tell: an injury, an employment, a claim. They use Kafka, not our API."""
        now = datetime.now(UTC)
        events: list[CloudEvent[Event]] = []
        for fact in self.day.group_events:
            subject = f"{fact.subject}-{self.run}"
            data = _group_data(fact, now)
            events.append(
                CloudEvent.of(parse_data(fact.type, data), source="/demo/branch-system", subject=subject, time=now)
            )
            self.subjects.append(subject)
            print(f"外部系统  {fact.type:<26} {subject}  ({fact.branch})")
        await publish(self.access.kafka_bootstrap, *events, prefix=self.access.stream_prefix)

    async def register(self, matter: Matter) -> dict[str, Any] | None:
        """Register one matter and work it; None when it is refused, as the service request of a listed client is."""
        now = datetime.now(UTC)
        body: dict[str, Any] = {
            "type": matter.type,
            "channel": matter.channel,
            "branch": matter.branch,
            "subject": matter.subject,
            "description": matter.description,
            "received_at": (now - timedelta(minutes=matter.received)).isoformat(),
            "requester": matter.requester.model_dump(exclude_none=True),
        }
        if matter.severity:
            body["severity"] = matter.severity
        if matter.client:
            client = self.day.blacklisted if matter.client == "blacklisted" else self.day.clients[matter.client]
            body["client"] = {"name": client.name, "identifier": client.identifier}
        if matter.promise:
            body["promised_at"] = (now + timedelta(minutes=matter.promise)).isoformat()
        clerk = f"{PREFIXES[matter.branch]}.clerk"
        response = await self._post("intake", "/api/cases", clerk, ["clerk"], matter.branch, body, key=str(uuid4()))
        if response.status_code == 409:
            print(f"不予受理  {matter.subject}: {response.json()['detail']}")
            return None
        case = self._expect(response, 201)
        case |= {"branch": matter.branch, "type": matter.type}
        for step in matter.steps:
            await self._work(case, step)
        late = "  (昨日收到，今日登记)" if matter.received > 1440 else ""
        print(f"{case['number']}  {matter.type:<15} {matter.subject}{late}  {' → '.join(matter.steps)}")
        return case

    async def _work(self, case: Mapping[str, Any], step: Step) -> None:
        deed = steps.deed(step, case["branch"])
        path = f"/api/cases/{case['number']}/{deed.path}"
        response = await self._post("intake", path, deed.person, [deed.role], case["branch"], deed.body)
        self._expect(response, 200, 201)

    async def summary(self, cases: Sequence[Mapping[str, Any]]) -> None:
        """What the other services made of the day, with links."""
        if not await until_at_rest(self.access, timeout=SETTLE_SECONDS):
            print(f"\n仍有事件在途 ({SETTLE_SECONDS} 秒后)；稍后可再查看")
        types = Counter(case["type"] for case in cases)
        print(f"\n登记 {len(cases)} 件: " + "，".join(f"{kind} {count}" for kind, count in types.most_common()))
        for subject in self.subjects:
            await self._print_clocks(subject)
        for case in cases:
            clocks = await self._clocks(f"case/{case['id']}")
            if any(clock["breached"] for clock in clocks):
                print(f"已超时  {case['number']}  " + "，".join(_due(clock) for clock in clocks if clock["breached"]))
        first = cases[0]
        intake, sla, notify = (self.access.url(name) for name in ("intake", "sla", "notify"))
        print(f"\n看一件事的全过程 ({first['number']}):")
        print(f"  时间线  {intake}/api/cases/{first['number']}/timeline")
        print(f"  时钟    {sla}/api/clocks?subject=case/{first['id']}")
        print(f"  通知    {notify}/api/deliveries?subject=case/{first['id']}")
        if self.access.zipkin:
            print(f"  链路    {self.access.zipkin}/zipkin/traces/{first['trace_id']}")
        print(f"  信箱    {notify}/api/mailbox")
        print("  令牌    shouwen token --person bj.manager --branch beijing --role manager --role operator")

    async def _print_clocks(self, subject: str) -> None:
        clocks = await self._clocks(subject)
        print(f"{subject}: " + "，".join(_due(clock) for clock in clocks))

    async def _clocks(self, subject: str) -> list[dict[str, Any]]:
        headers = self.access.headers("demo.auditor", [], ["group_auditor"])
        url = f"{self.access.url('sla')}/api/clocks"
        response = await self.http.get(url, params={"subject": subject, "limit": 50}, headers=headers)
        return self._expect(response, 200)["items"]

    async def _post(
        self,
        service: str,
        path: str,
        person: str,
        roles: list[str],
        branch: str,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
    ) -> httpx.Response:
        headers = self.access.headers(person, [branch], roles) | ({"Idempotency-Key": key} if key else {})
        return await self.http.post(f"{self.access.url(service)}{path}", json=body, headers=headers)

    @staticmethod
    def _expect(response: httpx.Response, *statuses: int) -> Any:
        if response.status_code not in statuses:
            raise DemoFailed(
                f"{response.request.method} {response.request.url}: {response.status_code} {response.text}"
            )
        return response.json()


def _due(clock: Mapping[str, Any]) -> str:
    due = datetime.fromisoformat(clock["due_at"]).astimezone(ZONE)
    return f"{clock['target']} {due:%m-%d %H:%M}{'，已超时' if clock['breached'] else ''} [{clock['clause']}]"


def _group_data(fact: GroupFact, now: datetime) -> dict[str, Any]:
    data: dict[str, Any] = {"branch": fact.branch}
    if fact.owner:
        data["owner"] = fact.owner
    for field, minutes in (
        ("occurred_at", fact.occurred),
        ("reported_at", fact.reported),
        ("submitted_at", fact.submitted),
    ):
        if minutes is not None:
            data[field] = now - timedelta(minutes=minutes)
    if fact.days_ago is not None:
        data["started_on"] = _days_before(now.date(), fact.days_ago)
    return data


def _days_before(day: date, days: int) -> date:
    return day - timedelta(days=days)
