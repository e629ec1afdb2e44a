"""People pause, resume and extend clocks; time ends pauses; delegates answer second: on the running service."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shouwen.contracts.case import CasePaused, CasePromised, CaseRegistered, CaseReplied, CaseType
from shouwen.contracts.casework import HandoverAccepted
from shouwen.contracts.client import ClientReferred, ForgeryConfirmed
from shouwen.contracts.clock import (
    ClockBreached,
    ClockCancelled,
    ClockExtended,
    ClockFact,
    ClockPaused,
    ClockResumed,
    EscalationRaised,
)
from shouwen.contracts.directory import DelegationDescribed
from shouwen.contracts.event import CloudEvent, Event
from shouwen.contracts.group import InjuryReported, PayrollScheduled
from shouwen.runtime.testing import Running


class Matter:
    """A case of Beijing as intake would tell of it."""

    def __init__(
        self, case_type: CaseType = "complaint", owner: str = "bj.wang", age: timedelta = timedelta(0)
    ) -> None:
        self.id = uuid4()
        self.owner = owner
        self.case_type: CaseType = case_type
        self.received_at = datetime.now(UTC) - age

    @property
    def subject(self) -> str:
        return f"case/{self.id}"

    def tells(self, kind: type[Event], **fields: Any) -> CloudEvent[Any]:
        common = {"branch": "beijing", "case_id": self.id, "number": "BJ-2026-000001"}
        return CloudEvent.of(kind.model_validate({**common, **fields}), source="/shouwen/intake")

    def registered(self) -> CloudEvent[Any]:
        return self.tells(
            CaseRegistered,
            case_type=self.case_type,
            channel="phone",
            received_at=self.received_at,
            registered_at=datetime.now(UTC),
            registrar=self.owner,
            owner=self.owner,
            department="customer-service",
        )


async def clocks(sla: Running, subject: str) -> dict[str, dict[str, Any]]:
    answer = await sla.http.get("/api/clocks", params={"subject": subject}, headers=sla.token())
    assert answer.status_code == 200, answer.text
    return {item["target"]: item for item in answer.json()["items"]}


async def told(sla: Running, kind: type[ClockFact], subject: str, *, count: int = 1) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        events = await sla.emitted(kind, count=len(found))
        found = [event.data for event in events if event.data.timed_subject == subject]
        if len(found) < count:
            await sla.emitted(kind, count=len(events) + 1)
    return found


async def post(sla: Running, clock: dict[str, Any], what: str, role: str = "clerk", **body: Any) -> Any:
    headers = sla.token(person="bj.general", roles=(role,))
    return await sla.http.post(f"/api/clocks/{clock['id']}/{what}", json=body or None, headers=headers)


@pytest.mark.req("S-01")
async def test_a_clock_is_paused_and_resumed_by_a_person_and_both_are_facts(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered())
    response = (await clocks(sla, matter.subject))["first_response"]
    answer = await post(sla, response, "pause", reason="awaiting_requester", evidence="mail-17")
    assert answer.status_code == 200, answer.text
    paused = answer.json()
    assert (paused["state"], paused["due_at"]) == ("paused", None)
    assert paused["segments"][-1]["by"] == "bj.general"
    assert (await clocks(sla, matter.subject))["written_plan"]["state"] == "running", "only this clock"
    [event] = await told(sla, ClockPaused, matter.subject)
    assert (event.reason, event.until) == ("awaiting_requester", None)
    answer = await post(sla, response, "resume")
    assert answer.json()["state"] == "running"
    assert datetime.fromisoformat(answer.json()["due_at"]) > datetime.fromisoformat(response["due_at"])
    await told(sla, ClockResumed, matter.subject)
    facts = await sla.fetch(
        "SELECT data FROM fact WHERE subject = $1 AND event_type = 'clock.instructed'", matter.subject
    )
    assert len(facts) == 2
    # A replay of what was heard, and another fact, give the same clock.
    await sla.hears(matter.tells(CaseReplied, replied_at=datetime.now(UTC), replied_by="bj.wang"))
    done = (await clocks(sla, matter.subject))["first_response"]
    assert (done["state"], done["due_at"]) == ("completed", answer.json()["due_at"])


@pytest.mark.req("S-01")
async def test_a_pause_resumes_by_itself_when_the_answer_was_expected(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered())
    now = datetime.now(UTC)
    until = now + timedelta(seconds=2)
    await sla.hears(
        matter.tells(CasePaused, paused_at=now, reason="awaiting_requester", expected_until=until, paused_by="bj.wang")
    )
    paused = await told(sla, ClockPaused, matter.subject, count=3)
    assert {each.until for each in paused} == {until}
    waiting = (await clocks(sla, matter.subject))["first_response"]
    assert waiting["state"] == "paused"
    assert datetime.fromisoformat(waiting["due_at"]) == matter.received_at + timedelta(hours=24) + (until - now)
    resumed = await told(sla, ClockResumed, matter.subject, count=3)
    assert {each.resumed_at for each in resumed} == {until}
    assert {each["state"] for each in (await clocks(sla, matter.subject)).values()} == {"running"}


@pytest.mark.req("S-01")
async def test_more_time_is_approved_by_the_role_before_the_deadline_and_told(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered())
    response = (await clocks(sla, matter.subject))["first_response"]
    asked: dict[str, Any] = {
        "units": 4,
        "reason": "complex_matter",
        "requester_informed_at": datetime.now(UTC).isoformat(),
    }
    answer = await post(sla, response, "extend", **asked)
    assert answer.status_code == 409
    assert "general_manager to approve" in answer.json()["detail"]
    answer = await post(sla, response, "extend", "general_manager", **asked)
    assert answer.status_code == 200, answer.text
    due_at = datetime.fromisoformat(response["due_at"]) + timedelta(hours=4)
    assert datetime.fromisoformat(answer.json()["due_at"]) == due_at
    assert answer.json()["limit_seconds"] == 28 * 3600
    [extension] = answer.json()["extensions"]
    assert (extension["units"], extension["approved_by"]) == (4, "bj.general")
    [event] = await told(sla, ClockExtended, matter.subject)
    assert (event.due_at, event.approved_by, event.reason) == (due_at, "bj.general", "complex_matter")


async def test_what_a_clock_does_not_allow_is_refused_with_a_remedy(sla: Running) -> None:
    now = datetime.now(UTC)
    subject = f"injury/{uuid4()}"
    injury = InjuryReported(branch="beijing", owner="bj.wang", occurred_at=now, reported_at=now)
    await sla.hears(CloudEvent.of(injury, source="/safety", subject=subject))
    on_site = (await clocks(sla, subject))["on_site"]
    answer = await post(sla, on_site, "pause", reason="awaiting_requester")
    assert (answer.status_code, "never pauses" in answer.json()["detail"]) == (409, True)
    informed = now.isoformat()
    answer = await post(
        sla, on_site, "extend", "general_manager", units=1, reason="complex", requester_informed_at=informed
    )
    assert (answer.status_code, "nobody may extend" in answer.json()["detail"]) == (409, True)
    late = Matter(age=timedelta(hours=30))
    await sla.hears(late.registered())
    response = (await clocks(sla, late.subject))["first_response"]
    answer = await post(
        sla, response, "extend", "general_manager", units=1, reason="complex", requester_informed_at=informed
    )
    assert (answer.status_code, "before it" in answer.json()["detail"]) == (409, True)
    for body, field in (
        ({"reason": "lunch"}, "reason"),
        ({"reason": "awaiting_requester", "expected_until": "2020-01-01T00:00:00Z"}, "expected_until"),
        ({"reason": "awaiting_requester", "expected_until": "tomorrow"}, "expected_until"),
        ({"reason": "awaiting_requester", "until": "tomorrow"}, "until"),
        ({"reason": "x" * 100}, "reason"),
    ):
        plan = (await clocks(sla, late.subject))["written_plan"]
        answer = await post(sla, plan, "pause", **body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"] == field
    assert (await clocks(sla, late.subject))["written_plan"]["state"] == "running"


@pytest.mark.req("X-06")
async def test_only_staff_of_the_branch_touch_its_clocks(sla: Running) -> None:
    matter = Matter()
    await sla.hears(matter.registered())
    response = (await clocks(sla, matter.subject))["first_response"]
    elsewhere = sla.token(person="cd.clerk", branches=("chengdu",))
    path = f"/api/clocks/{response['id']}/pause"
    answer = await sla.http.post(path, json={"reason": "awaiting_requester"}, headers=elsewhere)
    assert answer.status_code == 404
    system = sla.token(person="hr-core", roles=("system",))
    answer = await sla.http.post(path, json={"reason": "awaiting_requester"}, headers=system)
    assert answer.status_code == 403
    assert (await sla.http.post(path, json={"reason": "awaiting_requester"})).status_code == 401
    assert (await clocks(sla, matter.subject))["first_response"]["state"] == "running"


@pytest.mark.req("S-17", "I-07")
async def test_a_cycle_that_as_a_late_fact_tells_never_was_is_cancelled(sla: Running) -> None:
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    matter = Matter(age=5 * hour)
    promise = matter.tells(CasePromised, agreed_at=now - 4.9 * hour, promised_at=now - 3 * hour, recorded_by="bj.wang")
    broken = matter.tells(CasePromised, agreed_at=now - 2 * hour, promised_at=now + 2 * hour, recorded_by="bj.wang")
    await sla.hears(matter.registered(), promise, broken)
    cycles = "SELECT cycle, state, reason FROM clock WHERE subject = $1 AND target = 'promise' ORDER BY cycle"
    rows = await sla.fetch(cycles, matter.subject)
    assert [tuple(row) for row in rows] == [(1, "cancelled", "agreed_anew"), (2, "running", None)]
    # It had waited for the requester when the first promise seemed broken: so that one stands.
    waited = matter.tells(
        CasePaused,
        paused_at=now - 4 * hour,
        reason="awaiting_requester",
        expected_until=now - 1.5 * hour,
        paused_by="bj.wang",
    )
    await sla.hears(waited)
    rows = await sla.fetch(cycles, matter.subject)
    assert [tuple(row) for row in rows] == [(1, "running", None), (2, "cancelled", "superseded")]
    cancelled = await told(sla, ClockCancelled, matter.subject, count=2)
    # Each clock has its own partition, so the two may come in either order.
    assert {each.reason for each in cancelled} == {"agreed_anew", "superseded"}


# --- responsibility at the breach (I-09) ----------------------------------------------------------------------------


def delegated(owner: str, delegate: str, starts: datetime, ends: datetime, **fields: Any) -> CloudEvent[Any]:
    told_now = DelegationDescribed(
        branch=fields.pop("branch", "beijing"),
        delegation_id=fields.pop("delegation_id", uuid4()),
        principal=owner,
        delegate=delegate,
        starts_at=starts,
        ends_at=ends,
        **fields,
    )
    return CloudEvent.of(told_now, source="/shouwen/intake")


@pytest.mark.req("I-09")
async def test_a_breach_while_the_owner_is_away_names_the_owner_first_and_the_delegate_second(sla: Running) -> None:
    now = datetime.now(UTC)
    owner = f"bj.{uuid4().hex[:8]}"
    matter = Matter(owner=owner, age=timedelta(hours=24) - timedelta(seconds=2))
    # Whoever answers for a matter may work in another branch.
    away = delegated(owner, "bj.zhao", now - timedelta(hours=1), now + timedelta(days=1), branch="chengdu")
    await sla.hears(away)
    await sla.hears(matter.registered())
    [breached] = await told(sla, ClockBreached, matter.subject)
    assert (breached.responsible.owner, breached.responsible.delegate) == (owner, "bj.zhao")
    raised = await told(sla, EscalationRaised, matter.subject)
    assert (raised[0].responsible.owner, raised[0].responsible.delegate) == (owner, "bj.zhao")


@pytest.mark.req("I-09")
async def test_a_delegation_that_was_over_or_withdrawn_makes_nobody_responsible(
    sla: Running,
) -> None:
    now = datetime.now(UTC)
    owner = f"bj.{uuid4().hex[:8]}"
    withdrawn = uuid4()
    day = timedelta(days=1)
    await sla.hears(
        delegated(owner, "bj.zhao", now - 9 * day, now - 8 * day),
        delegated(owner, "bj.qian", now - 9 * day, now + 9 * day, delegation_id=withdrawn),
    )
    await sla.hears(delegated(owner, "bj.qian", now - 9 * day, now + 9 * day, delegation_id=withdrawn, cancelled=True))
    matter = Matter(owner=owner, age=timedelta(hours=25))
    await sla.hears(matter.registered())
    [breached] = await told(sla, ClockBreached, matter.subject)
    assert (breached.responsible.owner, breached.responsible.delegate) == (owner, None)


@pytest.mark.req("I-09", "S-11")
async def test_a_late_matter_tells_its_breaches_with_the_delegate_of_that_time_and_once(sla: Running) -> None:
    now = datetime.now(UTC)
    owner = f"bj.{uuid4().hex[:8]}"
    await sla.hears(delegated(owner, "bj.zhao", now - timedelta(days=20), now - timedelta(days=18)))
    subject = f"injury/{uuid4()}"
    injury = InjuryReported(
        branch="beijing",
        owner=owner,
        occurred_at=now - timedelta(days=20),
        reported_at=now - timedelta(hours=1),
    )
    await sla.hears(CloudEvent.of(injury, source="/safety", subject=subject))
    breached = {each.target: each for each in await told(sla, ClockBreached, subject, count=2)}
    assert {each.responsible.delegate for each in breached.values()} == {"bj.zhao"}
    assert breached["authority_notice"].told_with is None
    assert breached["client_notice"].told_with == breached["authority_notice"].clock_id
    raised = await told(sla, EscalationRaised, subject, count=2)
    assert sorted(each.role for each in raised) == ["general_manager", "manager"]


async def test_an_accepted_hand_over_passes_responsibility_on(sla: Running) -> None:
    matter = Matter()
    await sla.hears(
        matter.registered(),
        matter.tells(
            HandoverAccepted,
            accepted_at=datetime.now(UTC),
            owner="bj.li",
            department="payroll",
            previous_owner="bj.wang",
        ),
    )
    assert {(each["owner"], each["department"]) for each in (await clocks(sla, matter.subject)).values()} == {
        ("bj.li", "payroll")
    }


# --- what other streams start -----------------------------------------------------------------------------------------


@pytest.mark.req("V-04")
async def test_a_serious_forgery_starts_the_clock_of_the_referral(sla: Running) -> None:
    now = datetime.now(UTC)
    client_id = uuid4()
    confirmed = ForgeryConfirmed(
        branch="beijing",
        client_id=client_id,
        confirmed_at=now,
        serious=True,
        proposed_by="bj.clerk",
        confirmed_by="bj.general",
    )
    await sla.hears(CloudEvent.of(confirmed, source="/shouwen/review"))
    subject = f"client/{client_id}"
    assert (await clocks(sla, subject))["judicial_referral"]["state"] == "running"
    referred = ClientReferred(branch="beijing", client_id=client_id, referred_at=now, referred_by="bj.general")
    await sla.hears(CloudEvent.of(referred, source="/shouwen/review"))
    assert (await clocks(sla, subject))["judicial_referral"]["state"] == "completed"


@pytest.mark.req("S-13")
async def test_months_come_round_without_any_fact(sla: Running) -> None:
    subject = f"payroll/{uuid4()}"
    today = datetime.now(UTC).date()
    scheduled = PayrollScheduled(branch="beijing", owner="bj.wang", day_of_month=28, first_month=today)
    await sla.hears(CloudEvent.of(scheduled, source="/hr-core", subject=subject))
    count = (
        "SELECT count(*) AS clocks, min(wake_at) AS wake_at FROM clock JOIN subject USING (subject) WHERE subject = $1"
    )
    [row] = await sla.fetch(count, subject)
    assert row["clocks"] == 2, "this month and the next"
    [following] = await sla.fetch("SELECT max(started_at) AS starts FROM clock WHERE subject = $1", subject)
    assert row["wake_at"] == following["starts"], "then the month after it is armed"
