"""Once the data of a client or requester are erased, no notice of their cases holds a word or an address."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from mail_receiver import Receiver
from support import until

from shouwen.contracts.case import CaseNoticeRequested
from shouwen.contracts.casework import CaseErased
from shouwen.contracts.event import CloudEvent
from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.notify.app import create
from shouwen.notify.settings import NotifySettings
from shouwen.runtime.testing import Running, running

pytestmark = pytest.mark.req("I-18")

BEFORE, ERASED, LATER = (datetime(2026, 11, day, 10, tzinfo=UTC) for day in (20, 21, 22))
WORDS = "已告知司徒静，款项今日到账。"


@pytest.fixture(scope="module")
async def without_mail(infrastructure: Infrastructure, settings: Any) -> AsyncIterator[Running]:
    """A notify service whose mail server is away: what it has to mail waits."""
    away = Receiver(free_port())
    async with running(create, NotifySettings, infrastructure, **settings(away, retry_first=3600)) as one:
        yield one


def notice(notify: Running, case: UUID, address: str | None = None, at: datetime = BEFORE) -> CloudEvent[Any]:
    sealed = {"name": "司徒静", "phone": "13655500123", "text": WORDS} | ({"email": address} if address else {})
    fact = CaseNoticeRequested(
        branch="beijing",
        case_id=case,
        number="BJ-2026-000001",
        requested_at=at,
        notice="reply",
        owner="bj.clerk2",
        sealed=notify.service.seal.seal(sealed),
    )
    return CloudEvent.of(fact, source="/shouwen/intake")


def erased(case: UUID, whose: Any = "requester", at: datetime = ERASED) -> CloudEvent[CaseErased]:
    fact = CaseErased(branch="beijing", case_id=case, number="BJ-2026-000001", whose=whose, erased_at=at)
    return CloudEvent.of(fact, source="/shouwen/intake")


async def kept(notify: Running, case: UUID) -> list[tuple[str, str | None, str, str | None]]:
    """Of each delivery about a case: the state, why it failed, the words, and the address of its message."""
    rows = await notify.fetch(
        "SELECT * FROM delivery JOIN message ON message.id = message_id WHERE message.subject = $1 ORDER BY channel",
        f"case/{case}",
    )

    def opened(value: bytes | None) -> str | None:
        return None if value is None else notify.service.keys.decrypt(value)

    def shown(row: Any) -> tuple[str, str | None, str, str | None]:
        words = json.loads(opened(row["sealed_texts"]) or "{}")
        return row["state"], row["error"], str(words), opened(row["address"])

    return [await asyncio.to_thread(shown, row) for row in rows]


@pytest.mark.parametrize("whose", ["client", "requester"])
async def test_a_mail_that_was_sent_loses_its_words_and_its_address(
    notify: Running, receiver: Receiver, whose: str
) -> None:
    case, address = uuid4(), f"{uuid4().hex}@example.com"
    await notify.hears(notice(notify, case, address))

    async def deliveries() -> list[tuple[str, str | None, str, str | None]]:
        return await kept(notify, case)

    [(_, _, words, known)] = await until(deliveries, lambda found: found[0][0] == "sent")
    assert WORDS in words
    assert known == address
    await notify.hears(erased(case, whose))
    [(state, _, words, known)] = await kept(notify, case)
    assert state == "sent", "that it was sent stays in the log"
    assert "erased" in words
    assert "司徒静" not in words
    assert known is None
    assert len(receiver.to(address)) == 1


async def test_a_mail_that_waits_is_not_sent_any_more(without_mail: Running) -> None:
    case = uuid4()
    await without_mail.hears(notice(without_mail, case, "a@example.com"))

    async def deliveries() -> list[tuple[str, str | None, str, str | None]]:
        return await kept(without_mail, case)

    await until(deliveries, lambda found: found[0][:1] == ("pending",) and found[0][1] is not None)
    await without_mail.hears(erased(case))
    [(state, error, words, address)] = await kept(without_mail, case)
    assert (state, error, address) == ("failed", "erased", None)
    assert WORDS not in words


@pytest.mark.parametrize("address", ["b@example.com", None], ids=["by mail", "by the owner"])
async def test_in_whichever_order_and_however_often_both_are_heard_the_end_is_the_same(
    without_mail: Running, address: str | None
) -> None:
    ends: list[Any] = []
    for order in ("notice erasure", "erasure notice", "erasure notice erasure notice"):
        case = uuid4()
        events = {"notice": notice(without_mail, case, address), "erasure": erased(case)}
        for each in order.split():
            await without_mail.hears(events[each])
        found = await until(
            partial(kept, without_mail, case), lambda them: {each[0] for each in them} <= {"failed", "sent"}
        )
        assert [each for each in found if "司徒静" in each[2] or each[3] is not None] == []
        ends.append([(state, error) for state, error, _, _ in found])
    assert ends[1:] == ends[:1] * 2
    assert ends[0] == [("failed", "erased")] if address else [("sent", None)]


async def test_what_is_asked_for_after_the_erasure_is_told(notify: Running, receiver: Receiver) -> None:
    case, address = uuid4(), f"{uuid4().hex}@example.com"
    later = notice(notify, case, address, at=LATER)
    await notify.hears(erased(case, "client"), later, erased(case, "client", at=BEFORE))

    async def arrived() -> list[Any]:
        return receiver.to(address)

    await until(arrived, bool)
    [(_, _, words, known)] = await kept(notify, case)
    assert WORDS in words, "an erasure that is heard late takes away only what was there when it was decided"
    assert known == address


async def test_the_inbox_of_whom_it_was_told_to_shows_that_it_was_erased(notify: Running) -> None:
    case = uuid4()
    await notify.hears(notice(notify, case), erased(case))
    answer = await notify.http.get("/api/inbox", params={"limit": 200}, headers=notify.token("bj.clerk2"))
    [letter] = [each for each in answer.json()["items"] if each["subject"] == f"case/{case}"]
    assert letter["zh"]["body"] == "（已删除）"
    assert letter["en"]["body"] == "(erased)"
