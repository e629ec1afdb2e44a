"""Notices to requesters, hand-overs and delegates, on a real Kafka, PostgreSQL and mail receiver."""

from collections import Counter
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import pytest
from mail_receiver import Receiver
from support import until

from shouwen.contracts import samples
from shouwen.contracts.case import CaseNoticeRequested
from shouwen.contracts.catalogue import BY_TYPE
from shouwen.contracts.directory import DelegationDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.runtime.privacy import Seal
from shouwen.runtime.testing import Running

TOLD = {
    "case.reopened.v1": ("case_reopened", "owner"),
    "case.handover_offered.v1": ("handover_offered", "receiver"),
    "case.handover_accepted.v1": ("handover_accepted", "previous_owner"),
    "case.handover_returned.v1": ("handover_returned", "owner"),
    "case.investigation_opened.v1": ("investigation_opened", "investigator"),
    "case.corrective_action_assigned.v1": ("corrective_action_assigned", "owner"),
    "case.evaluation_decided.v1": ("evaluation_decided", "owner"),
    "case.requester_wrote.v1": ("requester_wrote", "owner"),
}


def number_of(case: UUID) -> str:
    return f"BJ-2026-{case.int % 1_000_000:06}"


def of_sample(event_type: str, case: UUID, **other: Any) -> CloudEvent[Any]:
    """The recorded event of a type, about this case."""
    body = {**samples.of(event_type).body, "case_id": str(case), "number": number_of(case), **other}
    return CloudEvent.of(BY_TYPE[event_type].model_validate(body), source="/shouwen/intake")


def notice(notify: Running, case: UUID, kind: str, **values: str) -> CloudEvent[CaseNoticeRequested]:
    fact = CaseNoticeRequested.model_validate(
        {
            "branch": "beijing",
            "case_id": case,
            "number": number_of(case),
            "requested_at": "2026-11-20T10:45:00+08:00",
            "notice": kind,
            "owner": "bj.clerk",
            "sealed": notify.service.seal.seal(values),
        }
    )
    return CloudEvent.of(fact, source="/shouwen/intake")


async def mail_to(receiver: Receiver, address: str) -> str:
    """Subject and words of the mail to an address, once it is there."""

    async def arrived() -> list[EmailMessage]:
        return receiver.to(address)

    [mail] = await until(arrived, bool)
    body = mail.get_body()
    assert body is not None
    return f"{mail['Subject']}\n{body.get_content()}"


async def letters(notify: Running, person: str, case: UUID) -> list[dict[str, Any]]:
    answer = await notify.http.get("/api/inbox", params={"limit": 200}, headers=notify.token(person))
    assert answer.status_code == 200, answer.text
    return [each for each in answer.json()["items"] if each["subject"] == f"case/{case}"]


@pytest.mark.req("I-05")
async def test_a_requester_with_an_address_is_told_by_mail_who_answers_for_the_matter(
    notify: Running, receiver: Receiver
) -> None:
    case = uuid4()
    address = f"li.na.{case.hex}@example.com"
    await notify.hears(
        notice(
            notify,
            case,
            "handover",
            name="李娜",
            email=address,
            contact_name="陈静",
            contact_department="劳动关系部",
            contact_phone="010-85001234",
        )
    )
    text = await mail_to(receiver, address)
    assert number_of(case) in text
    assert "您好，李娜" in text
    assert "劳动关系部陈静" in text
    assert "010-85001234" in text


@pytest.mark.req("I-18")
async def test_words_and_address_of_a_notice_rest_encrypted_and_stay_out_of_the_log(
    notify: Running, receiver: Receiver
) -> None:
    case = uuid4()
    address = f"zhao.lei.{case.hex}@example.com"
    await notify.hears(
        notice(notify, case, "progress", name="赵磊", email=address, code="7Q4M2K", link="https://x.example/")
    )
    await mail_to(receiver, address)

    [row] = await notify.fetch("SELECT message::text AS whole FROM message WHERE subject = $1", f"case/{case}")
    assert not [secret for secret in ("赵磊", address, "7Q4M2K") if secret in row["whole"]]
    log = await notify.http.get("/api/deliveries", params={"subject": f"case/{case}"}, headers=notify.token())
    assert [each["recipient"] for each in log.json()["items"]] == ["requester"]
    assert not [secret for secret in ("赵磊", address, "7Q4M2K") if secret in log.text]


@pytest.mark.req("I-05")
async def test_without_an_address_the_owner_is_asked_to_call_the_requester(notify: Running) -> None:
    case = uuid4()
    await notify.hears(
        notice(
            notify,
            case,
            "handover",
            name="孙丽",
            phone="13800138000",
            contact_name="陈静",
            contact_department="劳动关系部",
            contact_phone="010-85001234",
        )
    )
    [letter] = await letters(notify, "bj.clerk", case)
    assert letter["template"] == "requester_to_be_told"
    assert "接手人：陈静" in letter["zh"]["body"]
    assert "孙丽" not in str(letter), "the case has name and number, and records who looks"
    assert "13800138000" not in str(letter)


async def test_the_same_notice_twice_is_one_mail(notify: Running, receiver: Receiver) -> None:
    case = uuid4()
    address = f"once.{case.hex}@example.com"
    event = notice(notify, case, "extension", email=address, due_at="2026-11-27T18:00:00+08:00")
    await notify.hears(event)
    await notify.hears(event)
    assert "2026年11月27日（周五）18:00" in await mail_to(receiver, address)
    rows = await notify.fetch("SELECT FROM delivery WHERE subject = $1", f"case/{case}")
    assert len(rows) == 1


async def test_a_notice_sealed_with_another_key_is_set_aside_and_blocks_nothing(notify: Running) -> None:
    case = uuid4()
    fact = notice(notify, case, "reply", email="x@example.com", text="…").data
    foreign = fact.model_copy(update={"sealed": Seal(b"k" * 32).seal({"email": "x@example.com"})})
    await notify.hears(CloudEvent.of(foreign, source="/shouwen/intake"))
    assert not await notify.fetch("SELECT FROM message WHERE subject = $1", f"case/{case}")
    assert "Unreadable" in {each.error.rpartition(".")[2] for each in await notify.dead_letters()}


@pytest.mark.parametrize("event_type", sorted(TOLD))
async def test_each_step_of_casework_is_told_to_the_person_it_concerns(notify: Running, event_type: str) -> None:
    case = uuid4()
    template, field = TOLD[event_type]
    await notify.hears(of_sample(event_type, case, **{field: "bj.clerk"}))
    [letter] = await letters(notify, "bj.clerk", case)
    assert letter["template"] == template
    assert letter["reason"] == field
    assert number_of(case) in letter["zh"]["subject"]


@pytest.mark.req("I-09")
async def test_while_somebody_is_away_their_delegate_is_told_beside_them(notify: Running) -> None:
    delegation = uuid4()

    def described(*, cancelled: bool) -> CloudEvent[DelegationDescribed]:
        fact = DelegationDescribed.model_validate(
            {
                "branch": "beijing",
                "delegation_id": delegation,
                "principal": "bj.away",
                "delegate": "bj.clerk2",
                "starts_at": "2020-01-01T00:00:00Z",
                "ends_at": "2999-01-01T00:00:00Z",
                "cancelled": cancelled,
            }
        )
        return CloudEvent.of(fact, source="/shouwen/intake")

    async def recipients(case: UUID) -> Counter[tuple[str, str]]:
        rows = await notify.fetch("SELECT recipient, reason FROM message WHERE subject = $1", f"case/{case}")
        return Counter((row["recipient"], row["reason"]) for row in rows)

    during, after = uuid4(), uuid4()
    await notify.hears(described(cancelled=False))
    await notify.hears(of_sample("case.assigned.v1", during, owner="bj.away"))
    assert await recipients(during) == Counter([("bj.away", "owner"), ("bj.clerk2", "delegate")])

    await notify.hears(described(cancelled=True))
    await notify.hears(of_sample("case.assigned.v1", after, owner="bj.away"))
    assert await recipients(after) == Counter([("bj.away", "owner")])
