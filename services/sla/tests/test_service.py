"""The service as its neighbours meet it: events in, events out, and its REST side."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shouwen.contracts.case import (
    CaseAssigned,
    CaseNoticeRequested,
    CasePlanDelivered,
    CaseRegistered,
    CaseReplied,
    CaseResolved,
    CaseType,
    CaseWithdrawn,
    ClientMention,
)
from shouwen.contracts.clock import (
    ClockAtRisk,
    ClockBreached,
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockStarted,
    EscalationRaised,
)
from shouwen.contracts.directory import BranchDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.contracts.group import InjuryOnSite, InjuryReported
from shouwen.runtime.telemetry import trace_id_of
from shouwen.runtime.testing import Running

TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


class Matter:
    """A case as intake would tell of it."""

    def __init__(
        self, branch: str = "beijing", case_type: CaseType = "complaint", age: timedelta = timedelta(0)
    ) -> None:
        self.id = uuid4()
        self.branch = branch
        self.case_type: CaseType = case_type
        self.now = datetime.now(UTC)
        self.received_at = self.now - age

    @property
    def subject(self) -> str:
        return f"case/{self.id}"

    def _common(self) -> dict[str, Any]:
        return {"branch": self.branch, "case_id": self.id, "number": "BJ-2026-000001"}

    def _event(self, data: Any, event_id: str | None = None) -> CloudEvent[Any]:
        return CloudEvent.of(data, source="/shouwen/intake", event_id=event_id, traceparent=TRACE)

    def registered(self, **fields: Any) -> CloudEvent[Any]:
        return self._event(
            CaseRegistered(
                **self._common(),
                case_type=self.case_type,
                channel="phone",
                received_at=self.received_at,
                registered_at=self.now,
                registrar="clerk.wang",
                owner="clerk.wang",
                department="customer-service",
                **fields,
            )
        )

    def replied(self, at: datetime | None = None) -> CloudEvent[Any]:
        return self._event(CaseReplied(**self._common(), replied_at=at or self.now, replied_by="clerk.wang"))

    def planned(self) -> CloudEvent[Any]:
        return self._event(CasePlanDelivered(**self._common(), delivered_at=self.now, delivered_by="clerk.wang"))

    def resolved(self) -> CloudEvent[Any]:
        return self._event(CaseResolved(**self._common(), resolved_at=self.now, resolved_by="clerk.wang"))

    def withdrawn(self) -> CloudEvent[Any]:
        return self._event(CaseWithdrawn(**self._common(), withdrawn_at=self.now, recorded_by="clerk.wang"))

    def assigned(self, owner: str, department: str) -> CloudEvent[Any]:
        return self._event(
            CaseAssigned(
                **self._common(), assigned_at=self.now, owner=owner, department=department, assigned_by="bj.coordinator"
            )
        )


async def clocks(sla: Running, subject: str, branches: tuple[str, ...] = ("beijing",)) -> dict[str, dict[str, Any]]:
    answer = await sla.http.get("/api/clocks", params={"subject": subject}, headers=sla.token(branches=branches))
    assert answer.status_code == 200, answer.text
    return {item["target"]: item for item in answer.json()["items"]}


async def told(sla: Running, kind: type[ClockFact], subject: str, *, count: int = 1) -> list[ClockFact]:
    """Events of a kind about one subject; waits until there are ``count``."""
    found: list[ClockFact] = []
    while len(found) < count:
        events = await sla.emitted(kind, count=len(found))
        found = [event.data for event in events if event.data.timed_subject == subject]
        if len(found) < count:
            await sla.emitted(kind, count=len(events) + 1)
    return found


@pytest.mark.req("S-04")
async def test_a_complaint_to_the_labour_dispatcher_starts_its_clocks(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered())
    armed = await clocks(sla, matter.subject)
    assert (
        armed["first_response"].items()
        >= {
            "subject": matter.subject,
            "pack": "labour-dispatch",
            "policy": "complaint",
            "clause": "004 三(六)",
            "state": "running",
            "breached": False,
            "provisional": False,
            "owner": "clerk.wang",
            "trace_id": "0123456789abcdef0123456789abcdef",
        }.items()
    )
    started_at = datetime.fromisoformat(armed["first_response"]["started_at"])
    assert started_at == matter.received_at
    assert datetime.fromisoformat(armed["first_response"]["due_at"]) == started_at + timedelta(hours=24)
    assert set(armed) == {"first_response", "written_plan", "resolution"}
    started = await told(sla, ClockStarted, matter.subject, count=3)
    assert {each.target for each in started} == set(armed)


@pytest.mark.req("I-18")
async def test_what_only_another_service_can_open_is_not_kept(sla: Running) -> None:
    matter = Matter()
    notice = CaseNoticeRequested(
        branch="beijing",
        case_id=matter.id,
        number="BJ-2026-000001",
        requested_at=matter.now,
        notice="reply",
        owner="clerk.wang",
        sealed=sla.service.seal.seal({"text": "已告知司徒静"}),
    )
    client = ClientMention(identifier_hash="0" * 64, sealed=sla.service.seal.seal({"name": "司徒静"}))
    await sla.hears(matter.registered(client=client), CloudEvent.of(notice, source="/shouwen/intake"))
    rows = await sla.fetch("SELECT data::text AS data FROM fact WHERE subject = $1", matter.subject)
    assert len(rows) == 2
    assert not [row["data"] for row in rows if "eyJ" in row["data"] or "0" * 64 in row["data"]]


@pytest.mark.req("S-03")
async def test_a_complaint_to_the_talent_centre_is_to_be_handled_in_24_hours(sla: Running) -> None:
    matter = Matter("chengdu")
    await sla.hears(matter.registered())
    armed = await clocks(sla, matter.subject, ("chengdu",))
    assert set(armed) == {"resolution"}
    assert (armed["resolution"]["pack"], armed["resolution"]["clause"]) == ("talent-centre", "001 §20")
    assert datetime.fromisoformat(armed["resolution"]["due_at"]) == matter.received_at + timedelta(hours=24)


@pytest.mark.req("S-05")
async def test_an_inquiry_is_answered_by_the_desk_or_passed_to_a_department_with_a_clock_of_its_own(
    sla: Running,
) -> None:
    matter = Matter(case_type="inquiry")
    await sla.hears(matter.registered(), matter.assigned("bj.payroll", "payroll"))
    armed = await clocks(sla, matter.subject)
    assert (armed["reply"]["state"], armed["department_reply"]["state"]) == ("completed", "running")
    assert (armed["department_reply"]["owner"], armed["department_reply"]["department"]) == ("bj.payroll", "payroll")
    await sla.hears(matter.replied())
    assert (await clocks(sla, matter.subject))["department_reply"]["state"] == "completed"


async def test_reply_plan_and_resolution_meet_their_targets_one_by_one(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered(), matter.replied())
    states = {name: each["state"] for name, each in (await clocks(sla, matter.subject)).items()}
    assert states == {"first_response": "completed", "written_plan": "running", "resolution": "running"}
    await sla.hears(matter.planned())
    assert (await clocks(sla, matter.subject))["written_plan"]["state"] == "completed"
    await sla.hears(matter.resolved())
    assert {each["state"] for each in (await clocks(sla, matter.subject)).values()} == {"completed"}
    met = await told(sla, ClockMet, matter.subject, count=3)
    assert {each.target for each in met} == {"first_response", "written_plan", "resolution"}


async def test_a_withdrawn_matter_has_no_running_clock(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered(), matter.withdrawn())
    assert {each["state"] for each in (await clocks(sla, matter.subject)).values()} == {"cancelled"}
    assert len(await told(sla, ClockCancelled, matter.subject, count=3)) == 3


@pytest.mark.req("S-17")
async def test_the_same_event_twice_or_before_its_cause_changes_nothing(sla: Running) -> None:
    matter = Matter()
    registered, replied = matter.registered(), matter.replied()
    await sla.hears(replied, registered, replied, registered)
    armed = await clocks(sla, matter.subject)
    assert (armed["first_response"]["state"], armed["first_response"]["breached"]) == ("completed", False)
    assert len(await told(sla, ClockStarted, matter.subject, count=3)) == 3
    assert len(await told(sla, ClockMet, matter.subject)) == 1


@pytest.mark.req("S-16", "S-11")
async def test_an_injury_reported_late_is_breached_at_once_and_marked_late(sla: Running) -> None:
    now = datetime.now(UTC)
    subject = f"injury/{uuid4()}"
    reported = CloudEvent.of(
        InjuryReported(
            branch="beijing",
            owner="bj.clerk",
            occurred_at=now - timedelta(hours=30),
            reported_at=now - timedelta(hours=1),
        ),
        source="/safety",
        subject=subject,
    )
    await sla.hears(reported)
    breached = await told(sla, ClockBreached, subject, count=2)
    late = {each.target: each.late_seconds for each in breached if isinstance(each, ClockBreached)}
    assert late["client_notice"] == pytest.approx(18 * 3600, abs=60)
    assert late["authority_notice"] == pytest.approx(6 * 3600, abs=60)
    assert {each.responsible.owner for each in breached} == {"bj.clerk"}
    raised = await told(sla, EscalationRaised, subject, count=2)
    assert [(each.target, each.level, each.role) for each in raised if isinstance(each, EscalationRaised)] == [
        ("authority_notice", 1, "manager"),
        ("authority_notice", 2, "general_manager"),
    ]
    assert not [each for each in await sla.emitted(ClockAtRisk, count=0) if each.data.timed_subject == subject]
    armed = await clocks(sla, subject)
    assert (armed["client_notice"]["state"], armed["client_notice"]["breached"]) == ("completed", True)
    assert (armed["authority_notice"]["state"], armed["authority_notice"]["breached"]) == ("running", True)
    assert armed["on_site"]["state"] == "running"
    await sla.hears(
        CloudEvent.of(InjuryOnSite(branch="beijing", owner=None, arrived_at=now), source="/safety", subject=subject)
    )
    assert (await clocks(sla, subject))["on_site"]["state"] == "completed"


@pytest.mark.req("S-16")
async def test_a_deadline_that_passes_fires_once_and_then_escalates(sla: Running) -> None:
    matter = Matter(age=timedelta(hours=24) - timedelta(seconds=2))
    await sla.hears(matter.registered())
    assert not (await clocks(sla, matter.subject))["first_response"]["breached"]
    [breached] = await told(sla, ClockBreached, matter.subject)
    [raised] = await told(sla, EscalationRaised, matter.subject)
    assert isinstance(breached, ClockBreached) and isinstance(raised, EscalationRaised)
    assert breached.late_seconds < 2
    assert (raised.level, raised.role, raised.responsible.owner) == (1, "manager", "clerk.wang")
    assert (await clocks(sla, matter.subject))["first_response"]["breached"]


@pytest.mark.req("X-04")
async def test_a_firing_stays_in_the_trace_of_the_matter(sla: Running) -> None:
    matter = Matter(age=timedelta(hours=25))
    await sla.hears(matter.registered())
    await told(sla, ClockBreached, matter.subject)
    for kind in (ClockStarted, ClockBreached):
        events = [each for each in await sla.emitted(kind) if each.data.timed_subject == matter.subject]
        assert {trace_id_of(each.traceparent) for each in events} == {trace_id_of(TRACE)}


async def test_a_matter_without_a_trace_gets_one(sla: Running) -> None:
    now = datetime.now(UTC)
    subject = f"injury/{uuid4()}"
    event = CloudEvent.of(
        InjuryReported(branch="beijing", owner=None, occurred_at=now, reported_at=now), source="/s", subject=subject
    )
    await sla.hears(event)
    traces = {each["trace_id"] for each in (await clocks(sla, subject)).values()}
    assert len(traces) == 1
    assert None not in traces


@pytest.mark.req("S-15")
async def test_a_clock_explains_itself_to_the_second(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered())
    plan = (await clocks(sla, matter.subject))["written_plan"]
    answer = await sla.http.get(f"/api/clocks/{plan['id']}", headers=sla.token())
    assert answer.status_code == 200, answer.text
    detail = answer.json()
    assert sum(segment["counted_seconds"] for segment in detail["segments"]) == detail["limit_seconds"] == 16 * 3600
    assert detail["segments"][0]["from"] == detail["started_at"]
    assert detail["segments"][-1]["to"] == detail["due_at"]
    assert [firing["kind"] for firing in detail["firings"]] == [
        "at_risk",
        "at_risk",
        "breached",
        "escalated",
        "escalated",
    ]
    assert detail["firings"][2]["at"] == detail["due_at"]
    assert detail["firings"][4] == {**detail["firings"][4], "level": 2, "role": "general_manager", "fired_at": None}


@pytest.mark.req("X-06")
async def test_clocks_of_another_branch_are_not_seen(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered())
    [plan, *_] = (await clocks(sla, matter.subject)).values()
    elsewhere = sla.token(person="cd.clerk", branches=("chengdu",))
    assert await clocks(sla, matter.subject, ("chengdu",)) == {}
    answer = await sla.http.get(f"/api/clocks/{plan['id']}", headers=elsewhere)
    assert answer.status_code == 404
    group = sla.token(person="auditor", branches=(), roles=("group_auditor",))
    answer = await sla.http.get("/api/clocks", params={"subject": matter.subject}, headers=group)
    assert len(answer.json()["items"]) == 3


async def test_the_list_is_filtered_and_paged_by_key(sla: Running) -> None:
    matters = [Matter("shenzhen", "inquiry") for _ in range(3)]
    await sla.hears(*(matter.registered() for matter in matters))
    headers = sla.token(branches=("shenzhen",))
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = await sla.http.get("/api/clocks", params={"limit": 2, "state": "running", **after}, headers=headers)
        page = answer.json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len(seen) == len(set(seen)) == 6
    for wrong in ({"after": "nonsense"}, {"limit": "0"}, {"state": "asleep"}, {"due_before": "tomorrow"}):
        answer = await sla.http.get("/api/clocks", params=wrong, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == next(iter(wrong))
    answer = await sla.http.get("/api/clocks", params={"breached": "true"}, headers=headers)
    assert answer.json()["items"] == []


async def test_an_unknown_branch_is_set_aside_and_can_be_replayed_once_it_is_described(sla: Running) -> None:
    matter = Matter("harbin")
    behind = Matter("beijing")
    await sla.hears(matter.registered(), behind.registered())
    [letter] = [each for each in await sla.dead_letters() if each.subject == matter.subject]
    assert letter.field == "branch"
    assert "harbin" in letter.detail and "replay" in letter.detail
    assert await clocks(sla, behind.subject), "what came behind it was handled"
    described = BranchDescribed(branch="harbin", name="哈尔滨", number_prefix="HB", packs=("talent-centre",))
    await sla.hears(CloudEvent.of(described, source="/shouwen/intake"))
    operator = sla.token(person="op", branches=(), roles=("operator",))
    answer = await sla.http.post(f"/api/dead-letters/{letter.id}/replay", headers=operator)
    assert answer.status_code == 200, answer.text
    assert set(await clocks(sla, matter.subject, ("harbin",))) == {"resolution"}


async def test_a_branch_with_an_unknown_pack_is_set_aside_with_the_packs_there_are(sla: Running) -> None:
    described = BranchDescribed(branch="wuhan", name="武汉", number_prefix="WH", packs=("no-such-pack",))
    await sla.hears(CloudEvent.of(described, source="/shouwen/intake"))
    [letter] = [each for each in await sla.dead_letters() if each.event_type == BranchDescribed.event_type]
    assert letter.field == "packs"
    assert "no-such-pack" in letter.detail and "labour-dispatch" in letter.detail


async def test_two_branches_may_use_one_subject(sla: Running) -> None:
    now = datetime.now(UTC)
    subject = f"injury/{uuid4()}"
    facts = [
        CloudEvent.of(
            InjuryReported(branch=branch, owner=None, occurred_at=now, reported_at=now),
            source="/safety",
            subject=subject,
        )
        for branch in ("beijing", "chengdu")
    ]
    await sla.hears(*facts)
    assert len(await clocks(sla, subject)) == 5
    assert await clocks(sla, subject, ("chengdu",)) == {}


@pytest.mark.req("S-01")
async def test_packs_are_listed_and_checked(sla: Running) -> None:
    answer = await sla.http.get("/api/packs", headers=sla.token())
    assert [item["pack"] for item in answer.json()["items"]] == [
        "group-baseline",
        "hr-licence",
        "insurer-head-office",
        "labour-dispatch",
        "talent-centre",
    ]
    good = """\
pack: own
version: 1
effective_from: 2026-01-01
title: t
policies:
  p:
    start: acceptance.started.v1
    stop: acceptance.completed.v1
    targets:
      q: {limit: 20, unit: working_minutes, clause: own 1}
"""
    headers = {**sla.token(), "Content-Type": "application/yaml"}
    answer = await sla.http.post("/api/packs/validate", content=good, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["pack"]["targets"][0]["unit"] == "working_minutes"
    answer = await sla.http.post(
        "/api/packs/validate", content=good.replace("working_minutes", "weeks"), headers=headers
    )
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "policies.p.targets.q.unit"
    assert ":10:" in error["problem"] and "working_days" in error["remedy"]


async def test_every_query_fits_the_schema(sla: Running) -> None:
    assert "fire_due" in await sla.prepares_every_query("shouwen.sla")


@pytest.mark.parametrize("path", ["/api/clocks", f"/api/clocks/{UUID(int=0)}", "/api/packs"])
async def test_nothing_is_told_without_a_token(sla: Running, path: str) -> None:
    assert (await sla.http.get(path)).status_code == 401


async def test_a_clock_that_does_not_exist_is_not_found(sla: Running) -> None:
    answer = await sla.http.get(f"/api/clocks/{uuid4()}", headers=sla.token())
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
