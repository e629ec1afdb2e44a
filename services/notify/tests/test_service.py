"""The notify service on a real Kafka, a real PostgreSQL and a real mail receiver."""

import asyncio
import mailbox
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from mail_receiver import Receiver

from shouwen.contracts.case import CaseAssigned, CaseRegistered
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, EscalationRaised, Responsible
from shouwen.contracts.directory import PersonDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.contracts.message import MessageFailed, MessageSent
from shouwen.contracts.publisher import publish
from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.notify.app import create
from shouwen.notify.settings import NotifySettings
from shouwen.runtime.privacy import Seal
from shouwen.runtime.testing import Grounds, Running, grounds, running

Settings = Callable[..., dict[str, Any]]

TRACE = "0af7651916cd43dd8448eb211c80319c"


def registered(*, case: UUID | None = None, branch: str = "beijing", owner: str = "bj.clerk") -> CloudEvent[Any]:
    case = case or uuid4()
    fact = CaseRegistered.model_validate(
        {
            "branch": branch,
            "case_id": case,
            "number": f"BJ-2026-{case.int % 1_000_000:06}",
            "case_type": "complaint",
            "channel": "phone",
            "received_at": "2026-11-20T09:00:00+08:00",
            "registered_at": "2026-11-20T09:05:00+08:00",
            "registrar": owner,
            "owner": owner,
        }
    )
    return CloudEvent.of(fact, source="/shouwen/intake", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")


def assigned(case: UUID, owner: str) -> CloudEvent[Any]:
    fact = CaseAssigned.model_validate(
        {
            "branch": "beijing",
            "case_id": case,
            "number": f"BJ-2026-{case.int % 1_000_000:06}",
            "assigned_at": "2026-11-20T10:00:00+08:00",
            "owner": owner,
            "assigned_by": "bj.manager",
        }
    )
    return CloudEvent.of(fact, source="/shouwen/intake")


def clock_values(subject: str, *, branch: str = "beijing", owner: str | None = "bj.clerk") -> dict[str, Any]:
    return {
        "branch": branch,
        "clock_id": uuid4(),
        "timed_subject": subject,
        "pack": "labour-dispatch",
        "policy": "complaint",
        "target": "written_plan",
        "clause": "004 三(六)",
        "responsible": Responsible(owner=owner),
        "due_at": "2026-11-20T01:00:00Z",
    }


def at_risk(subject: str, **other: Any) -> CloudEvent[Any]:
    values = {**clock_values(subject, **other), "fired_for": "2026-11-19T17:00:00Z"}
    return CloudEvent.of(ClockAtRisk.model_validate(values), source="/shouwen/sla")


def breached(subject: str, **other: Any) -> CloudEvent[Any]:
    return CloudEvent.of(ClockBreached.model_validate(clock_values(subject, **other)), source="/shouwen/sla")


def escalated(
    subject: str, role: str, level: int, *, fired_for: str = "2026-11-21T01:00:00Z", **other: Any
) -> CloudEvent[Any]:
    values = {**clock_values(subject, **other), "role": role, "level": level, "fired_for": fired_for}
    return CloudEvent.of(EscalationRaised.model_validate(values), source="/shouwen/sla")


async def deliveries(notify: Running, subject: str, **token: Any) -> list[dict[str, Any]]:
    answer = await notify.http.get("/api/deliveries", params={"subject": subject}, headers=notify.token(**token))
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def until(condition: Callable[[], Awaitable[bool]], timeout: float = 20) -> None:
    end = time.monotonic() + timeout
    while not await condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        await asyncio.sleep(0.05)


async def until_state(notify: Running, subject: str, state: str, timeout: float = 20) -> dict[str, Any]:
    """The e-mail about a subject, once it is in this state."""

    async def reached() -> bool:
        return any(each["channel"] == "email" and each["state"] == state for each in await deliveries(notify, subject))

    await until(reached, timeout)
    return next(each for each in await deliveries(notify, subject) if each["channel"] == "email")


async def until_no_mail_is_on_its_way(notify: Running) -> None:
    """Wait for the mails of earlier tests, which would otherwise take the answers that the next mail is to get."""

    async def none_left() -> bool:
        rows = await notify.fetch("SELECT FROM delivery WHERE channel = 'email' AND state IN ('pending', 'sending')")
        return not rows

    await until(none_left)


def told(found: list[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    return Counter((each["template"], each["recipient"], each["channel"]) for each in found)


@pytest.mark.req("N-04")
async def test_every_query_fits_the_migrated_schema(notify: Running) -> None:
    assert "claim_email" in await notify.prepares_every_query("shouwen.notify")


@pytest.mark.req("N-04")
async def test_the_owner_of_a_new_case_is_told_once_by_inbox_and_by_mail(notify: Running, receiver: Receiver) -> None:
    case = uuid4()
    event = registered(case=case)
    await notify.hears(event, event)
    mail = await until_state(notify, f"case/{case}", "sent")

    found = await deliveries(notify, f"case/{case}")
    assert told(found) == {("case_registered", "bj.clerk", "inbox"): 1, ("case_registered", "bj.clerk", "email"): 1}
    assert {each["state"] for each in found} == {"sent"}
    assert {each["trace_id"] for each in found} == {TRACE}
    assert {each["cause"] for each in found} == {event.id}
    [received] = [each for each in receiver.mails if event.data.number in str(each["Subject"])]
    assert received["Message-ID"] == f"<{mail['id']}@example.com>"
    assert received["To"] == "bj.clerk@example.com"
    assert received["Auto-Submitted"] == "auto-generated"
    body = received.get_content()
    assert body.index("您好") < body.index("Good day")
    assert event.data.number in body

    sent = [each for each in await notify.emitted(MessageSent, count=2) if each.data.about == f"case/{case}"]
    assert Counter(each.data.channel for each in sent) == {"inbox": 1, "email": 1}
    assert {each.traceparent.split("-")[1] for each in sent if each.traceparent} == {TRACE}


async def test_somebody_without_an_address_is_told_in_the_inbox_only(notify: Running) -> None:
    case = uuid4()
    await notify.hears(registered(case=case), assigned(case, "bj.clerk2"))
    found = told(await deliveries(notify, f"case/{case}"))
    assert found["case_assigned", "bj.clerk2", "inbox"] == 1
    assert found["case_assigned", "bj.clerk2", "email"] == 0


@pytest.mark.req("N-05", "N-04")
async def test_warning_breach_and_escalation_reach_each_person_once(notify: Running) -> None:
    case = uuid4()
    subject = f"case/{case}"
    due = "2026-11-20T01:00:00Z"
    events = [
        registered(case=case),
        at_risk(subject),
        breached(subject),
        escalated(subject, "manager", 1, fired_for=due),
        escalated(subject, "general_manager", 2),
    ]
    await notify.hears(*events)
    await notify.hears(*events)

    found = await deliveries(notify, subject)
    assert {key: count for key, count in told(found).items() if key[2] == "inbox"} == {
        ("case_registered", "bj.clerk", "inbox"): 1,
        ("clock_at_risk", "bj.clerk", "inbox"): 1,
        ("clock_breached", "bj.clerk", "inbox"): 1,
        ("clock_breached", "bj.manager", "inbox"): 1,
        ("escalation_raised", "bj.general", "inbox"): 1,
    }
    inbox = await notify.http.get("/api/inbox", headers=notify.token("bj.manager", roles=["manager"]))
    letter = next(each for each in inbox.json()["items"] if each["subject"] == subject)
    assert events[0].data.number in letter["zh"]["subject"]
    assert "2026年11月20日（周五）09:00" in letter["zh"]["body"]
    assert "004 三(六)" in letter["zh"]["body"]
    assert letter["link"] == f"http://127.0.0.1:8101/api/cases/{events[0].data.number}"


async def test_a_foreign_subject_without_an_owner_is_told_to_the_manager(notify: Running) -> None:
    subject = f"injury/{uuid4()}"
    await notify.hears(breached(subject, branch="chengdu", owner=None))
    found = await deliveries(notify, subject, branches=["chengdu"])
    assert {(each["recipient"], each["reason"]) for each in found} == {("cd.manager", "role:manager")}
    assert await deliveries(notify, subject, branches=["beijing"]) == []


async def test_the_directory_stream_wins_over_the_file_and_its_address_is_kept_encrypted(
    notify: Running, receiver: Receiver
) -> None:
    seal = Seal(bytes(range(32)))
    person = f"bj.{uuid4().hex[:8]}"
    contact = seal.seal({"name": "赵敏", "email": f"{person}@example.com"})
    fact = PersonDescribed(branch="beijing", person=person, roles=("clerk",), contact=contact)
    await notify.hears(CloudEvent.of(fact, source="/shouwen/intake"))
    case = uuid4()
    await notify.hears(registered(case=case, owner=person))
    await until_state(notify, f"case/{case}", "sent")
    assert len(receiver.to(f"{person}@example.com")) == 1
    [row] = await notify.fetch("SELECT email FROM person WHERE person = $1", person)
    assert person.encode() not in row["email"]


async def test_a_contact_sealed_with_another_key_is_set_aside_and_blocks_nothing(notify: Running) -> None:
    contact = Seal(bytes(32)).seal({"email": "x@example.com"})
    fact = PersonDescribed(branch="beijing", person="bj.stranger", contact=contact)
    case = uuid4()
    await notify.hears(CloudEvent.of(fact, source="/shouwen/intake"), registered(case=case))
    assert "Unreadable" in {each.error.rpartition(".")[2] for each in await notify.dead_letters()}
    assert await deliveries(notify, f"case/{case}")


@pytest.mark.req("N-04")
async def test_a_temporary_refusal_is_tried_again(notify: Running, receiver: Receiver) -> None:
    await until_no_mail_is_on_its_way(notify)
    receiver.answers.extend(["451 try later bj.clerk@example.com", "450 busy"])
    case = uuid4()
    event = registered(case=case)
    await notify.hears(event)
    mail = await until_state(notify, f"case/{case}", "sent")
    assert mail["attempts"] == 3
    assert len([each for each in receiver.mails if event.data.number in str(each["Subject"])]) == 1


@pytest.mark.req("N-04")
async def test_a_permanent_refusal_goes_to_a_person_and_an_operator_may_send_again(
    notify: Running, receiver: Receiver
) -> None:
    await until_no_mail_is_on_its_way(notify)
    receiver.answers.append("550 no such person bj.clerk@example.com")
    case = uuid4()
    await notify.hears(registered(case=case))
    failed = await until_state(notify, f"case/{case}", "failed")
    assert failed["error"] == "the mail server answered 550"
    [fact] = [each for each in await notify.emitted(MessageFailed) if each.data.about == f"case/{case}"]
    assert fact.data.reason == "the mail server answered 550"
    found = told(await deliveries(notify, f"case/{case}"))
    assert found["delivery_failed", "bj.manager", "inbox"] == 1
    assert found["delivery_failed", "bj.manager", "email"] == 0

    path = f"/api/deliveries/{failed['id']}/resend"
    refused = await notify.http.post(path, headers=notify.token(roles=["clerk"]))
    assert refused.status_code == 403
    assert (
        await notify.http.post(path, headers=notify.token(roles=["operator"], branches=["chengdu"]))
    ).status_code == 404
    again = await notify.http.post(path, headers=notify.token("ops.li", roles=["operator"]))
    assert again.status_code == 200
    assert again.json()["resent_by"] == "ops.li"
    await until_state(notify, f"case/{case}", "sent")
    too_late = await notify.http.post(path, headers=notify.token(roles=["operator"]))
    assert too_late.status_code == 409
    assert too_late.json()["code"] == "not_resendable"


@pytest.mark.req("N-04")
async def test_a_connection_lost_before_the_answer_leaves_the_mail_uncertain_and_unrepeated(
    notify: Running, receiver: Receiver
) -> None:
    receiver.hangs_up = 1
    case = uuid4()
    event = registered(case=case)
    await notify.hears(event)
    found = await until_state(notify, f"case/{case}", "uncertain")
    assert "connection broke" in found["error"]
    later = uuid4()
    await notify.hears(registered(case=later))
    await until_state(notify, f"case/{later}", "sent")
    assert len([each for each in receiver.mails if event.data.number in str(each["Subject"])]) == 1
    listed = await notify.http.get(
        "/api/deliveries", params={"state": "uncertain"}, headers=notify.token("ops.li", roles=["operator"])
    )
    assert found["id"] in {each["id"] for each in listed.json()["items"]}


async def test_mails_wait_for_a_mail_server_that_is_down(infrastructure: Infrastructure, settings: Settings) -> None:
    receiver = Receiver(free_port())
    async with running(create, NotifySettings, infrastructure, **settings(receiver)) as notify:
        case = uuid4()
        await notify.hears(registered(case=case))

        async def refused() -> bool:
            return any(each["error"] for each in await deliveries(notify, f"case/{case}"))

        await until(refused)
        await receiver.start()
        try:
            await until_state(notify, f"case/{case}", "sent")
        finally:
            await receiver.stop()
        assert len(receiver.mails) == 1


async def test_without_a_mail_server_people_are_told_in_their_inbox(
    infrastructure: Infrastructure, directory_file: Path
) -> None:
    async with running(create, NotifySettings, infrastructure, directory_file=directory_file) as notify:
        case = uuid4()
        await notify.hears(registered(case=case))
        assert told(await deliveries(notify, f"case/{case}")) == {("case_registered", "bj.clerk", "inbox"): 1}
        missing = await notify.http.get("/api/mailbox", headers=notify.token(roles=["operator"]))
        assert missing.status_code == 404
        assert missing.json()["code"] == "mailbox_not_connected"


@pytest.mark.fault
@pytest.mark.req("N-04")
async def test_a_sender_killed_after_sending_leaves_the_mail_uncertain_and_nothing_goes_out_twice(
    infrastructure: Infrastructure, settings: Settings, receiver: Receiver
) -> None:
    async with grounds(infrastructure, "notify") as ground:
        case = uuid4()
        event = registered(case=case)
        # Quick answers are enough on loopback, and a short lease lets the loss be noticed within the test.
        values = settings(receiver, smtp_timeout=0.5, sender_tasks=1)
        code = await _run_until_killed(ground, values, event)
        assert code == -signal.SIGKILL
        async with ground.running(create, NotifySettings, **values) as notify:
            found = await until_state(notify, f"case/{case}", "uncertain", timeout=30)
            assert found["error"] == "the sender stopped in the middle"
            inbox = [each for each in await deliveries(notify, f"case/{case}") if each["channel"] == "inbox"]
            assert [each["state"] for each in inbox] == ["sent"]
        assert len([each for each in receiver.mails if event.data.number in str(each["Subject"])]) == 1


async def _run_until_killed(ground: Grounds, values: dict[str, Any], event: CloudEvent[Any]) -> int:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SHOUWEN_", "OTEL_"))},
        **ground.environment(),
        **{f"SHOUWEN_{name.upper()}": str(value) for name, value in values.items()},
        "SHOUWEN_STREAM_PREFIX": ground.prefix,
        "SHOUWEN_FAILPOINT": "sender.after_send@1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shouwen.notify", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            await publish(ground.bootstrap, event, prefix=ground.prefix)
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_messages_are_unread_first_and_marked_by_their_recipient_only(notify: Running) -> None:
    person = f"bj.{uuid4().hex[:8]}"
    cases = [uuid4() for _ in range(5)]
    await notify.hears(*(registered(case=case, owner=person) for case in cases))
    mine, others = notify.token(person), notify.token("bj.clerk")

    async def pages() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = (await notify.http.get("/api/inbox", params={"limit": "2", **after}, headers=mine)).json()
            items += page["items"]
            if page["next"] is None:
                return items
            after = {"after": page["next"]}

    first = await pages()
    assert len({each["id"] for each in first}) == 5
    newest = first[0]["id"]
    assert (await notify.http.post(f"/api/inbox/{newest}/read", headers=others)).status_code == 404
    read = await notify.http.post(f"/api/inbox/{newest}/read", headers=mine)
    assert read.status_code == 200
    assert (await notify.http.post(f"/api/inbox/{newest}/read", headers=mine)).json() == read.json()
    assert [each["id"] for each in await pages()] == [each["id"] for each in first[1:]] + [newest]


async def test_a_message_to_a_vacant_role_is_found_by_whoever_takes_it(notify: Running) -> None:
    subject = f"case/{uuid4()}"
    await notify.hears(escalated(subject, "department_head", 2))
    headers = notify.token("bj.new", roles=["department_head"])
    letters = (await notify.http.get("/api/inbox", headers=headers)).json()["items"]
    assert subject in {each["subject"] for each in letters}
    elsewhere = notify.token("cd.new", roles=["department_head"], branches=["chengdu"])
    letters = (await notify.http.get("/api/inbox", headers=elsewhere)).json()["items"]
    assert subject not in {each["subject"] for each in letters}


async def test_the_log_of_deliveries_is_paged_without_gaps(notify: Running) -> None:
    await notify.hears(*(registered() for _ in range(5)))
    headers = notify.token("auditor", branches=[], roles=["group_auditor"])
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await notify.http.get("/api/deliveries", params={"limit": "3", **after}, headers=headers)).json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    rows = await notify.fetch("SELECT id FROM delivery")
    assert set(seen) >= {str(row["id"]) for row in rows[:10]}
    assert len(seen) == len(set(seen))
    bad = await notify.http.get("/api/deliveries", params={"after": "x"}, headers=headers)
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "after"


@pytest.mark.req("N-02")
async def test_a_template_is_judged_before_it_is_used(notify: Running) -> None:
    good = {"subject": "{{ number }}", "body": "您好：{{ number }} 的{{ target }}须在 {{ due }} 前完成。"}
    headers = notify.token(roles=["operator"])
    fine = await notify.http.post("/api/templates/validate", json={"zh": good, "en": good}, headers=headers)
    assert fine.status_code == 200
    assert "首次响应" in fine.json()["sample"]["zh"]["body"]
    bad = await notify.http.post(
        "/api/templates/validate", json={"zh": good, "en": {**good, "body": "{{ wrong }}"}}, headers=headers
    )
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "en.body"


async def test_the_evaluation_mailbox_shows_whole_mails_to_operators_only(
    infrastructure: Infrastructure, directory_file: Path, tmp_path: Path
) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    for number in range(3):
        mail = EmailMessage()
        mail["To"] = "bj.clerk@example.com"
        mail["Subject"] = f"第{number}封"
        mail["Message-ID"] = f"<{number}@example.com>"
        mail.set_content("您好")
        box.add(mail)
    async with running(
        create, NotifySettings, infrastructure, directory_file=directory_file, mailbox_dir=tmp_path / "box"
    ) as notify:
        operator = notify.token(roles=["operator"])
        first = (await notify.http.get("/api/mailbox", params={"limit": "2"}, headers=operator)).json()
        rest = (await notify.http.get("/api/mailbox", params={"after": first["next"]}, headers=operator)).json()
        assert [each["subject"] for each in first["items"] + rest["items"]] == ["第2封", "第1封", "第0封"]
        assert rest["next"] is None
        assert first["items"][0]["message_id"] == "<2@example.com>"
        assert first["items"][0]["text"].strip() == "您好"
        assert (await notify.http.get("/api/mailbox", headers=notify.token())).status_code == 403
