"""Mail in: a new one becomes a case, an answer joins its case, a machine's opens none, and none is lost."""

import asyncio
import base64
import imaplib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouwen.contracts.case import CaseRegistered, CaseResumed
from shouwen.contracts.casework import RequesterWrote
from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.intake.app import create, post_of
from shouwen.intake.domain import mail as letters
from shouwen.intake.gateways.files import Files, FileStoreDown
from shouwen.intake.gateways.mailbox import MailboxAccess, MailboxDown, empty
from shouwen.intake.handlers import mail
from shouwen.intake.handlers.mail import Post
from shouwen.intake.settings import IntakeSettings
from shouwen.intake.store.protection import Protection
from shouwen.runtime.settings import BadSettings
from shouwen.runtime.testing import Grounds, Running, grounds

Body = dict[str, Any]
PDF = b"%PDF-1.7\n%%EOF\n"


def letter(
    text: str = "您好，我的社保断缴了，请帮助查询。",
    *,
    subject: str = "社保断缴",
    sender: str = "李建国 <li@client.example.com>",
    to: str = "bj@service.example.com",
    files: dict[str, bytes] | None = None,
    message_id: str | None = None,
    **headers: str,
) -> EmailMessage:
    """A mail as a client writes it; header names are given with underscores."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = message_id or make_msgid(domain="client.example.com")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    for name, content in (files or {}).items():
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


@pytest.fixture
def post(intake: Running, file_folder: Path) -> Post:
    """The channel of the running intake."""
    service, chosen = intake.service, intake.service.settings
    assert isinstance(chosen, IntakeSettings)
    protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
    return post_of(chosen, service, Files(file_folder.as_uri()), protection)


async def case_of(intake: Running, taken: mail.Mail, *, branch: str = "beijing", roles: str = "manager") -> Body:
    """The case of a mail, as a manager of its branch sees it."""
    [row] = await intake.fetch("SELECT number FROM cases WHERE id = $1", taken.case_id)
    token = intake.token(f"{branch}.director", [branch], [roles])
    answer = await intake.http.get(f"/api/cases/{row['number']}", headers=token)
    assert answer.status_code == 200
    return answer.json()


async def files_of(intake: Running, number: str) -> list[str]:
    """The names of a case's files."""
    token = intake.token("bj.manager", roles=["manager"])
    return [
        each["name"]
        for each in (await intake.http.get(f"/api/cases/{number}/attachments", headers=token)).json()["items"]
    ]


@pytest.mark.req("I-01")
@pytest.mark.req("I-05")
async def test_a_new_mail_becomes_a_case_of_the_branch_it_was_written_to(intake: Running, post: Post) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    received = f"from mx.client.example.com by mx.example.com; {format_datetime(at)}"
    taken = await mail.take_in(post, letter(files={"社保.pdf": PDF}, Received=received).as_bytes())
    assert taken.state == "registered"
    case = await case_of(intake, taken)
    assert (case["type"], case["channel"], case["owner"]) == ("inquiry", "email", "bj.coordinator")
    assert case["requester"]["name"] == "李建国"
    assert case["requester"]["email"] == "li@client.example.com"
    assert (case["subject"], case["description"]) == ("社保断缴", "您好，我的社保断缴了，请帮助查询。")
    assert datetime.fromisoformat(case["received_at"]) == at
    assert await files_of(intake, case["number"]) == ["社保.pdf"]
    [told] = await intake.emitted(CaseRegistered, subject=f"case/{taken.case_id}")
    assert told.data.channel == "email"

    other = await mail.take_in(post, letter(subject="【投诉】工资", to="Service <cd@SERVICE.example.com>").as_bytes())
    case = await case_of(intake, other, branch="chengdu")
    assert (case["type"], case["severity"], case["owner"]) == ("complaint", "ordinary", "cd.clerk")


async def test_the_same_mail_is_taken_once_and_another_under_its_id_is_not_lost(intake: Running, post: Post) -> None:
    raw = letter(files={"a.pdf": PDF}).as_bytes()
    first = await mail.take_in(post, raw)
    before = await intake.fetch("SELECT count(*) AS n FROM cases")
    again = await mail.take_in(post, b"Delivered-To: elsewhere@example.com\n" + raw)
    assert again.case_id == first.case_id
    both = await asyncio.gather(*(mail.take_in(post, letter(message_id="<twin@x>").as_bytes()) for _ in range(3)))
    assert len({each.case_id for each in both}) == 1
    assert (await intake.fetch("SELECT count(*) AS n FROM cases"))[0]["n"] == before[0]["n"] + 1
    page_2 = await mail.take_in(post, letter("第二页", message_id="<twin@x>").as_bytes())
    assert page_2.state == "registered"
    assert page_2.case_id != both[0].case_id


@pytest.mark.req("I-01")
async def test_an_answer_joins_its_case_by_its_thread_or_by_the_number_in_its_subject(
    intake: Running, post: Post
) -> None:
    question = letter()
    first = await mail.take_in(post, question.as_bytes())
    number = (await case_of(intake, first))["number"]
    by_thread = letter("补充：是十一月。", subject="Re: 社保断缴", In_Reply_To=question["Message-ID"])
    by_reference = letter(
        "再补充。", References=f"<unknown@x> {by_thread['Message-ID']}", files={"证明.pdf": PDF + b"2"}
    )
    by_number = letter("三补充。", subject=f"回复：您的事项 {number}", sender="王 <wang@other.example.com>")
    for each in (by_thread, by_reference, by_number):
        joined = await mail.take_in(post, each.as_bytes())
        assert (joined.state, joined.case_id) == ("joined", first.case_id)
    case = await case_of(intake, first)
    words = [each["text"] for each in case["notes"]]
    assert words[0] == "补充：是十一月。"
    assert words[1] == "再补充。"
    assert "wang@other.example.com" in words[2]
    assert await files_of(intake, number) == ["证明.pdf"]
    told = await intake.emitted(RequesterWrote, count=3, subject=f"case/{first.case_id}")
    assert {each.data.channel for each in told} == {"email"}
    assert all("补充" not in (record.value or b"").decode() for record in await intake.records("case.v1"))


@pytest.mark.req("I-19")
async def test_an_answer_to_a_merged_case_goes_to_the_case_that_goes_on(intake: Running, post: Post) -> None:
    question, other = letter(), letter()
    merged = await mail.take_in(post, question.as_bytes())
    survivor = await mail.take_in(post, other.as_bytes())
    await intake.fetch(
        """UPDATE cases SET state = 'merged', merged_into = $2,
        merged_into_number = (SELECT number FROM cases WHERE id = $2) WHERE id = $1""",
        merged.case_id,
        survivor.case_id,
    )
    joined = await mail.take_in(post, letter("补充", In_Reply_To=question["Message-ID"]).as_bytes())
    assert joined.case_id == survivor.case_id


async def test_an_answer_resumes_a_case_that_waits_for_its_requester_but_a_stranger_s_does_not(
    intake: Running, post: Post
) -> None:
    question = letter()
    first = await mail.take_in(post, question.as_bytes())
    number = (await case_of(intake, first))["number"]
    token = intake.token("bj.coordinator", roles=["coordinator"])
    body = {"reason": "awaiting_requester", "note": "请补充身份证号"}
    paused = await intake.http.post(f"/api/cases/{number}/pause", json=body, headers=token)
    assert paused.status_code == 200, paused.text
    stranger = letter("我也一样", subject=number, sender="x@stranger.example.com")
    await mail.take_in(post, stranger.as_bytes())
    assert (await case_of(intake, first))["state"] == "pending"
    await mail.take_in(post, letter("补充", In_Reply_To=question["Message-ID"]).as_bytes())
    assert (await case_of(intake, first))["state"] == "in_progress"
    await intake.emitted(CaseResumed, subject=f"case/{first.case_id}")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, "auto_reply"),
        ({"Auto_Submitted": "auto-generated; type=x"}, "auto_reply"),
        ({"X_Autoreply": "yes"}, "auto_reply"),
        ({"subject": "自动回复：已收到"}, "auto_reply"),
        ({"Precedence": "auto_reply"}, "auto_reply"),
        ({"Precedence": "bulk"}, "bulk"),
        ({"Precedence": "junk"}, "bulk"),
        ({"Return_Path": "<>"}, "bounce"),
        ({"sender": "MAILER-DAEMON@mx.example.com"}, "bounce"),
    ],
)
async def test_a_machine_s_mail_opens_no_case_and_is_kept(
    intake: Running, post: Post, headers: dict[str, Any], reason: str
) -> None:
    before = await intake.fetch("SELECT count(*) AS n FROM cases")
    taken = await mail.take_in(post, letter(**headers).as_bytes())
    assert (taken.state, taken.reason) == ("ignored", reason)
    assert await intake.fetch("SELECT count(*) AS n FROM cases") == before


async def test_a_bounce_that_quotes_a_case_does_not_join_it(intake: Running, post: Post) -> None:
    first = await mail.take_in(post, letter().as_bytes())
    number = (await case_of(intake, first))["number"]
    bounce = letter(subject=f"Undelivered: {number}", Return_Path="<>", In_Reply_To="<x@y>")
    assert (await mail.take_in(post, bounce.as_bytes())).state == "ignored"
    assert (await case_of(intake, first))["notes"] == []


@pytest.mark.req("I-18")
async def test_a_mail_rests_encrypted_and_leaves_no_trace_of_its_words(
    intake: Running, post: Post, file_folder: Path
) -> None:
    taken = await mail.take_in(post, letter("欧阳静怡的秘密", subject="欧阳静怡").as_bytes())
    [row] = await intake.fetch("SELECT mail::text AS words FROM mail WHERE id = $1", taken.id)
    assert "欧阳" not in row["words"]
    assert "client.example.com" not in row["words"]
    assert "秘密".encode() not in (file_folder / taken.place).read_bytes()
    await intake.emitted(CaseRegistered, subject=f"case/{taken.case_id}")
    assert all("欧阳" not in (record.value or b"").decode() for record in await intake.records("case.v1"))


async def test_files_that_are_not_taken_are_named_and_stay_in_the_mail(intake: Running, post: Post) -> None:
    taken = await mail.take_in(
        post, letter(files={"a.exe": b"MZ" + bytes(99), "b.pdf": PDF, "c.pdf": PDF + bytes(2_000_001)}).as_bytes()
    )
    case = await case_of(intake, taken)
    assert "a.exe" in case["description"]
    assert "c.pdf" in case["description"]
    assert await files_of(intake, case["number"]) == ["b.pdf"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x00\xff no mail at all", "unreadable"),
        (letter(to="nobody@elsewhere.example.com").as_bytes(), "unknown_recipient"),
        (letter(X_Spam_Flag="YES").as_bytes(), "spam"),
    ],
)
async def test_what_nothing_can_be_made_of_waits_for_a_person(
    intake: Running, post: Post, raw: bytes, reason: str
) -> None:
    taken = await mail.take_in(post, raw)
    assert (taken.state, taken.reason) == ("set_aside", reason)
    operator = intake.token("ops", [], ["operator"])
    waiting = (await intake.http.get("/api/mail?limit=200", headers=operator)).json()["items"]
    assert str(taken.id) in {each["id"] for each in waiting}
    got = await intake.http.get(f"/api/mail/{taken.id}/message", headers=operator)
    assert got.content == raw
    looks = await looks_at(intake, f"mail.{taken.id}")
    assert [(each["person"], each["number"], each["branch"]) for each in looks] == [("ops", None, taken.branch)]


async def looks_at(intake: Running, field: str, **query: str) -> list[Body]:
    """The looks at a field, as the group's auditor finds them."""
    auditor = intake.token("auditor", (), ("group_auditor",))
    page = await intake.http.get("/api/looks", params={"limit": "200", **query}, headers=auditor)
    assert page.status_code == 200, page.text
    return [each for each in page.json()["items"] if field in each["fields"]]


@pytest.mark.req("I-18")
async def test_a_look_at_a_mail_is_found_by_the_number_of_the_case_that_it_became(intake: Running, post: Post) -> None:
    taken = await mail.take_in(post, letter(X_Spam_Flag="YES").as_bytes())
    manager = intake.token("bj.manager", roles=["manager"])
    assert (await intake.http.get(f"/api/mail/{taken.id}/message", headers=manager)).status_code == 200
    field = f"mail.{taken.id}"
    assert [each["number"] for each in await looks_at(intake, field, person="bj.manager")] == [None]
    registered = await intake.http.post(f"/api/mail/{taken.id}/register", json={"type": "complaint"}, headers=manager)
    assert registered.status_code == 200, registered.text
    [row] = await intake.fetch("SELECT number FROM cases WHERE id = $1::uuid", registered.json()["case_id"])
    [look] = await looks_at(intake, field, number=row["number"])
    assert (look["number"], look["person"], look["branch"]) == (row["number"], "bj.manager", "beijing")
    assert await looks_at(intake, field, number="BJ-2020-000001") == []


async def test_a_person_routes_registers_joins_or_discards_a_mail_that_waits(
    intake: Running, post: Post, fields: Callable[[httpx.Response], list[str]]
) -> None:
    operator = intake.token("ops", [], ["operator"])
    manager = intake.token("bj.manager", roles=["manager"])

    async def waiting() -> str:
        taken = await mail.take_in(post, letter(to="x@elsewhere.example.com", files={"a.pdf": PDF}).as_bytes())
        unseen = await intake.http.post(f"/api/mail/{taken.id}/discard", json={"reason": "spam"}, headers=manager)
        assert unseen.status_code == 404
        wrong = await intake.http.post(f"/api/mail/{taken.id}/route", json={"branch": "nowhere"}, headers=operator)
        assert fields(wrong) == ["branch"]
        routed = await intake.http.post(f"/api/mail/{taken.id}/route", json={"branch": "beijing"}, headers=operator)
        assert routed.json()["branch"] == "beijing"
        return f"/api/mail/{taken.id}"

    address = await waiting()
    assert (await intake.http.post(f"{address}/discard", json={"reason": "spam"}, headers=operator)).status_code == 403
    clerk = intake.token("bj.clerk")
    assert (await intake.http.get("/api/mail", headers=clerk)).status_code == 403
    registered = await intake.http.post(f"{address}/register", json={"type": "complaint"}, headers=manager)
    assert registered.status_code == 200, registered.text
    [row] = await intake.fetch("SELECT number, type FROM cases WHERE id = $1::uuid", registered.json()["case_id"])
    assert row["type"] == "complaint"
    assert await files_of(intake, row["number"]) == ["a.pdf"]
    again = await intake.http.post(f"{address}/register", json={"type": "complaint"}, headers=manager)
    assert again.status_code == 409

    address = await waiting()
    joined = await intake.http.post(f"{address}/join", json={"number": row["number"]}, headers=manager)
    assert (joined.status_code, joined.json()["state"]) == (200, "joined")
    assert joined.json()["case_id"] == registered.json()["case_id"]

    address = await waiting()
    assert (await intake.http.post(f"{address}/discard", json={"reason": "spam"}, headers=manager)).status_code == 200
    unknown = await intake.http.get(f"/api/mail/{uuid4()}/message", headers=operator)
    assert unknown.status_code == 404


async def test_files_that_a_crash_kept_from_a_case_are_added_when_the_mail_is_offered_again(
    intake: Running, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = letter(files={"a.pdf": PDF}).as_bytes()
    kept = post.files.put

    async def only_mails(place: str, content: bytes) -> bytes:
        if not place.startswith("mail/"):
            raise FileStoreDown
        return await kept(place, content)

    with monkeypatch.context() as patched:
        patched.setattr(post.files, "put", only_mails)
        with pytest.raises(FileStoreDown):
            await mail.take_in(post, raw)
    taken = await mail.take_in(post, raw)
    case = await case_of(intake, taken)
    assert await files_of(intake, case["number"]) == ["a.pdf"]


@given(raw=st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_whatever_comes_is_read_or_refused_as_no_mail(raw: bytes) -> None:
    for each in (raw, b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n" + raw, b"Subject: " + raw):
        letters.envelope_of(each)
        try:
            letters.split_files(letters.read(each), limit_bytes=100)
        except ValueError:
            continue


def test_an_html_mail_in_gb2312_is_read_as_words() -> None:
    page = "<html><head><style>p{}</style></head><body><p>工资&nbsp;未到</p><div>请<b>尽快</b>答复</div></body></html>"
    raw = (
        b"From: a@b.example\r\nTo: bj@service.example.com\r\nSubject: =?gb2312?B?"
        + base64.b64encode("工资".encode("gb2312"))
        + b"?=\r\nContent-Type: text/html; charset=gb2312\r\n\r\n"
        + page.encode("gb2312")
    )
    read = letters.read(raw)
    assert read.subject == "工资"
    assert read.text.split("\n") == ["工资 未到", "请尽快答复"]


# --- by pipe --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    """A database for an intake that runs as processes."""
    async with grounds(infrastructure, "intake") as one:
        yield one


async def test_a_mail_server_hands_mails_over_by_pipe(ground: Grounds, directory_file: Path, tmp_path: Path) -> None:
    environment = ground.environment() | {
        "SHOUWEN_DIRECTORY_FILE": str(directory_file),
        "SHOUWEN_ATTACHMENTS_URL": tmp_path.as_uri(),
        "SHOUWEN_MAIL_ADDRESSES": '{"bj@service.example.com": "beijing"}',
    }

    def pipe(raw: bytes, **changed: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "shouwen.intake", "mail", "--recipient", "bj@service.example.com"],
            input=raw,
            env={**os.environ, **environment, **changed},
            capture_output=True,
            timeout=120,
            check=False,
        )

    raw = letter("管道来的信", to="undisclosed-recipients:;").as_bytes()
    async with ground.running(
        create, IntakeSettings, directory_file=directory_file, attachments_url=tmp_path.as_uri()
    ) as intake:
        for _ in range(2):
            done = await asyncio.to_thread(pipe, raw)
            assert done.returncode == 0, done.stderr
        [told] = await intake.emitted(CaseRegistered)
        assert told.data.channel == "email"
        assert told.data.owner == "bj.coordinator"
    down = await asyncio.to_thread(
        pipe,
        letter().as_bytes(),
        SHOUWEN_DATABASE_URL="postgresql://x:y@127.0.0.1:1/z",
        SHOUWEN_WORKER_DATABASE_URL="postgresql://x:y@127.0.0.1:1/z",
    )
    assert down.returncode == os.EX_TEMPFAIL
    wrong = await asyncio.to_thread(pipe, letter().as_bytes(), SHOUWEN_MAIL_ADDRESSES="beijing")
    assert wrong.returncode == os.EX_TEMPFAIL
    assert b"SHOUWEN_MAIL_ADDRESSES" in wrong.stderr


# --- by IMAP --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mailbox() -> Iterator[MailboxAccess]:
    """A real IMAP server with an empty mailbox."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("pymap")), "--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    server = subprocess.Popen([*command, "dict", "--demo-user", "service", "--demo-password", "secret"])
    try:
        access = MailboxAccess(
            host="127.0.0.1",
            port=port,
            username="service",
            password="secret",
            security="none",
            folder="INBOX",
            done_folder="Shouwen",
            every=timedelta(milliseconds=200),
        )
        for _ in range(300):
            if server.poll() is not None:
                raise AssertionError("the IMAP server did not start")
            try:
                signed_in(access).logout()
                break
            except OSError:
                time.sleep(0.1)
        yield access
    finally:
        server.kill()
        server.wait()


def signed_in(access: MailboxAccess) -> imaplib.IMAP4:
    """A client of that mailbox."""
    client = imaplib.IMAP4(access.host, access.port, timeout=10)
    client.login(access.username, access.password)
    return client


def put(access: MailboxAccess, *raws: bytes) -> None:
    """Let mails come in."""
    client = signed_in(access)
    for raw in raws:
        client.append("INBOX", "", "", raw)
    client.logout()


def count(access: MailboxAccess, folder: str) -> int:
    """How many mails a folder holds."""
    client = signed_in(access)
    _, [found] = client.select(folder, readonly=True)
    client.logout()
    return int(found or b"0")


async def test_a_mailbox_is_emptied_into_the_register(intake: Running, post: Post, mailbox: MailboxAccess) -> None:
    first, second = letter("一"), letter("二", files={"a.pdf": PDF})
    put(mailbox, first.as_bytes(), second.as_bytes(), b"no mail at all")
    taken: list[mail.Mail] = []

    async def take_in(raw: bytes) -> None:
        taken.append(await mail.take_in(post, raw))

    assert await empty(mailbox, take_in) == 3
    assert [each.state for each in taken] == ["registered", "registered", "set_aside"]
    assert (count(mailbox, "INBOX"), count(mailbox, "Shouwen")) == (0, 3)
    assert await empty(mailbox, take_in) == 0


async def test_a_mail_that_was_not_taken_stays_in_the_mailbox(post: Post, mailbox: MailboxAccess) -> None:
    put(mailbox, letter("三").as_bytes())
    done = count(mailbox, "Shouwen")

    async def take_in(raw: bytes) -> None:
        raise FileStoreDown

    with pytest.raises(FileStoreDown):
        await empty(mailbox, take_in)
    assert (count(mailbox, "INBOX"), count(mailbox, "Shouwen")) == (1, done)

    async def cut_off(raw: bytes) -> None:
        await mail.take_in(post, raw)
        raise FileStoreDown  # killed after the mail was taken in, before it was moved

    with pytest.raises(FileStoreDown):
        await empty(mailbox, cut_off)
    taken: list[mail.Mail] = []

    async def once_more(raw: bytes) -> None:
        taken.append(await mail.take_in(post, raw))

    assert await empty(mailbox, once_more) == 1
    assert taken[0].state == "registered"
    assert count(mailbox, "INBOX") == 0


async def test_a_mailbox_that_does_not_answer_is_tried_again(mailbox: MailboxAccess) -> None:
    async def take_in(raw: bytes) -> None:
        raise AssertionError(raw)

    for wrong in (
        replace(mailbox, port=free_port()),
        replace(mailbox, password="wrong"),
        replace(mailbox, folder="Nowhere"),
    ):
        with pytest.raises(MailboxDown):
            await empty(wrong, take_in)


async def test_the_service_reads_its_mailbox_by_itself(
    infrastructure: Infrastructure, directory_file: Path, tmp_path: Path, mailbox: MailboxAccess
) -> None:
    put(mailbox, letter("给服务的信").as_bytes())
    async with (
        grounds(infrastructure, "intake") as ground,
        ground.running(
            create,
            IntakeSettings,
            directory_file=directory_file,
            attachments_url=tmp_path.as_uri(),
            mail_addresses={"*": "shenzhen"},
            imap_host=mailbox.host,
            imap_port=mailbox.port,
            imap_security="none",
            imap_username=mailbox.username,
            imap_password=mailbox.password,
            imap_every=mailbox.every,
        ) as intake,
    ):
        [told] = await intake.emitted(CaseRegistered)
        assert (told.data.branch, told.data.owner) == ("shenzhen", "sz.coordinator")


def test_mail_without_a_place_to_keep_it_is_a_bad_setting(intake: Running) -> None:
    values: dict[str, Any] = intake.service.settings.model_dump() | {"attachments_url": None}
    with pytest.raises(BadSettings, match="SHOUWEN_ATTACHMENTS_URL"):
        IntakeSettings(**values)
