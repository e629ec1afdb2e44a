"""Files with a case: what is taken, how it is kept, and who gets to see it."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shouwen.contracts.casework import AttachmentAdded
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.domain.attachments import offered, plain_name
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.errors import Invalid
from shouwen.runtime.settings import BadSettings
from shouwen.runtime.testing import Running, running

Body = dict[str, Any]
NAME = "欧阳静怡的合同.pdf"


def pdf(words: str | None = None) -> bytes:
    """A small file that is a pdf by its content; another one each time."""
    return f"%PDF-1.7\n% {words or uuid4()}\n%%EOF\n".encode()


def package(*parts: str) -> bytes:
    """An Office document that has these parts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as document:
        for part in ("[Content_Types].xml", *parts):
            document.writestr(part, "<x/>")
    return content.getvalue()


def kept_in(folder: Path) -> int:
    """How many contents a folder holds."""
    return len(list(folder.rglob("*")))


@pytest.fixture
async def number(register: Any, matter: Callable[..., Body]) -> str:
    """The number of a new case of bj.clerk."""
    return (await register(matter())).json()["number"]


async def send(intake: Running, number: str, name: str, content: bytes, person: str = "bj.clerk") -> httpx.Response:
    """Put a file with a case, by a form."""
    headers = intake.token(person)
    return await intake.http.post(f"/api/cases/{number}/attachments", files={"file": (name, content)}, headers=headers)


@pytest.mark.req("I-01")
async def test_a_file_comes_back_as_it_was_sent(intake: Running, number: str) -> None:
    content = pdf()
    added = await send(intake, number, NAME, content)
    assert added.status_code == 201
    shown = added.json()
    assert shown["name"] == NAME
    assert shown["media_type"] == "application/pdf"
    assert shown["size_bytes"] == len(content)
    assert shown["sha256"] == hashlib.sha256(content).hexdigest()

    path = f"/api/cases/{number}/attachments"
    listed = (await intake.http.get(path, headers=intake.token("bj.clerk"))).json()["items"]
    assert listed == [shown]
    got = await intake.http.get(f"{path}/{shown['id']}", headers=intake.token("bj.clerk"))
    assert got.content == content
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["repr-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"
    [fact] = await intake.emitted(AttachmentAdded, subject=await subject_of(intake, number))
    assert fact.data.sha256 == shown["sha256"]


async def subject_of(intake: Running, number: str) -> str:
    """The subject of a case's events."""
    [row] = await intake.fetch("SELECT id FROM cases WHERE number = $1", number)
    return f"case/{row['id']}"


async def test_a_content_can_be_the_body_itself(intake: Running, number: str) -> None:
    path = f"/api/cases/{number}/attachments"
    added = await intake.http.post(
        path, params={"name": "来信.txt"}, content="您好".encode("gb18030"), headers=intake.token("bj.clerk")
    )
    assert added.status_code == 201
    assert added.json()["media_type"] == "text/plain; charset=utf-8"


async def test_the_same_content_lies_with_a_case_once(intake: Running, number: str, file_folder: Path) -> None:
    content = pdf()
    first = (await send(intake, number, "a.pdf", content)).json()
    before = kept_in(file_folder)
    again = await send(intake, number, "b.pdf", content)
    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    assert kept_in(file_folder) == before


@pytest.mark.req("I-18")
async def test_name_and_content_rest_encrypted_and_leave_intake_in_no_event(
    intake: Running, number: str, file_folder: Path
) -> None:
    added = (await send(intake, number, NAME, pdf("住在朝阳区"))).json()
    [row] = await intake.fetch("SELECT * FROM attachment WHERE id = $1", added["id"])
    assert "欧阳".encode() not in row["name"]
    at_rest = (file_folder / row["place"]).read_bytes()
    assert b"%PDF" not in at_rest
    assert "朝阳".encode() not in at_rest
    await intake.emitted(AttachmentAdded, subject=await subject_of(intake, number))
    assert all("欧阳".encode() not in (record.value or b"") for record in await intake.records("case.v1"))


@pytest.mark.req("I-18")
async def test_only_who_sees_the_people_of_a_case_gets_its_files_and_every_look_is_recorded(
    intake: Running, number: str, fields: Callable[[httpx.Response], list[str]]
) -> None:
    added = (await send(intake, number, NAME, pdf())).json()
    path = f"/api/cases/{number}/attachments"
    one = f"{path}/{added['id']}"

    other_clerk = intake.token("bj.clerk2")
    assert [each["name"] for each in (await intake.http.get(path, headers=other_clerk)).json()["items"]] == ["***"]
    refused = await intake.http.get(one, headers=other_clerk)
    assert refused.status_code == 403
    assert fields(refused) == ["number"]

    other_branch = intake.token("cd.clerk", ["chengdu"])
    for address in (path, one):
        assert (await intake.http.get(address, headers=other_branch)).status_code == 404
    auditor = intake.token("group.auditor", [], ["group_auditor"])
    assert (await intake.http.get(one, headers=auditor)).status_code == 403
    assert (await intake.http.get(one)).status_code == 401

    assert (await intake.http.get(one, headers=intake.token("bj.manager", roles=["manager"]))).status_code == 200
    looks = await intake.fetch(
        "SELECT person, fields FROM look JOIN cases ON cases.id = look.case_id WHERE number = $1", number
    )
    assert [(each["person"], each["fields"]) for each in looks] == [("bj.manager", [f"attachment.{added['id']}"])]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("letter.exe", b"MZ" + bytes(200)),
        ("letter.pdf", b"MZ" + bytes(200)),
        ("letter.pdf", b""),
        ("letter.html", b"<!DOCTYPE html><script>1</script>"),
        ("letter.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("letter.png", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(50)),
        ("letter.docx", package("word/document.xml", "word/vbaProject.bin")),
        ("letter.docx", package("xl/workbook.xml")),
        ("letter.docx", b"PK\x03\x04" + bytes(50)),
        ("letter.txt", b"\x00\x01\x02"),
        ("letter", pdf()),
        ("", pdf()),
    ],
)
async def test_a_file_that_is_not_taken_is_refused_with_field_and_remedy(
    intake: Running, number: str, fields: Callable[[httpx.Response], list[str]], name: str, content: bytes
) -> None:
    path = f"/api/cases/{number}/attachments"
    refused = await intake.http.post(path, params={"name": name}, content=content, headers=intake.token("bj.clerk"))
    assert refused.status_code == 422
    assert set(fields(refused)) <= {"name", "file"}
    assert (await intake.http.get(path, headers=intake.token("bj.clerk"))).json()["items"] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("照片.JPG", b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00" + bytes(50) + b"\xff\xd9"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(50)),
        ("a.docx", package("word/document.xml")),
        ("a.xlsx", package("xl/workbook.xml")),
        ("录音.amr", b"#!AMR\n" + bytes(20)),
        ("a.wav", b"RIFF\x24\0\0\0WAVEfmt " + bytes(30)),
        ("a.csv", "编号,姓名\n1,王\n".encode("utf-8-sig")),
    ],
)
def test_kinds_that_letters_and_recordings_come_in_are_taken(name: str, content: bytes) -> None:
    assert offered(name, content).name == name


def test_a_name_is_made_plain() -> None:
    assert plain_name(r"C:\Users\王\来信 1.pdf") == "来信 1.pdf"
    assert plain_name("../../etc/passwd.txt") == "passwd.txt"
    assert plain_name("a\u202efdp.exe") == "afdp.exe"
    assert plain_name("长" * 300 + ".pdf").endswith("长.pdf")
    assert len(plain_name("长" * 300 + ".pdf")) == 200
    with pytest.raises(Invalid):
        plain_name("../..")


async def test_a_file_over_the_limit_is_refused_and_one_below_is_taken_though_longer_than_other_bodies(
    intake: Running, number: str, fields: Callable[[httpx.Response], list[str]]
) -> None:
    assert (await send(intake, number, "a.pdf", pdf() + bytes(1_500_000))).status_code == 201
    for size in (1_999_999, 2_000_000, 3_000_000):
        refused = await send(intake, number, "b.pdf", pdf() + bytes(size))
        assert refused.status_code == 413
        assert set(fields(refused)) <= {"file", "body"}
    elsewhere = await intake.http.post(
        f"/api/cases/{number}/reply", json={"text": "x" * 1_500_000}, headers=intake.token("bj.clerk")
    )
    assert elsewhere.status_code == 413


async def test_a_form_that_cannot_be_read_is_refused(
    intake: Running, number: str, fields: Callable[[httpx.Response], list[str]]
) -> None:
    path = f"/api/cases/{number}/attachments"
    for content_type, body in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nnot a part"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n--b--\r\n',
        ),
    ):
        headers = intake.token("bj.clerk") | {"Content-Type": content_type}
        refused = await intake.http.post(path, content=body, headers=headers)
        assert refused.status_code == 422, content_type
        assert set(fields(refused)) <= {"body", "file"}


async def test_a_content_that_is_missing_or_was_changed_is_said_to_be_so(
    intake: Running, number: str, file_folder: Path
) -> None:
    added = (await send(intake, number, "a.pdf", pdf())).json()
    [row] = await intake.fetch("SELECT place FROM attachment WHERE id = $1", added["id"])
    at_rest = file_folder / row["place"]
    kept = at_rest.read_bytes()
    address = f"/api/cases/{number}/attachments/{added['id']}"
    at_rest.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    changed = await intake.http.get(address, headers=intake.token("bj.clerk"))
    assert (changed.status_code, changed.json()["code"]) == (409, "content_unreadable")
    at_rest.unlink()
    missing = await intake.http.get(address, headers=intake.token("bj.clerk"))
    assert (missing.status_code, missing.json()["code"]) == (409, "content_unreadable")
    at_rest.write_bytes(kept)
    assert (await intake.http.get(address, headers=intake.token("bj.clerk"))).status_code == 200


async def test_without_a_file_store_the_answer_names_the_setting(
    infrastructure: Infrastructure, directory_file: Path
) -> None:
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as alone:
        refused = await send(alone, "BJ-2026-000001", "a.pdf", pdf())
    assert refused.status_code == 409
    assert "SHOUWEN_ATTACHMENTS_URL" in refused.json()["remedy"]


def test_an_address_of_no_file_store_is_a_bad_setting(intake: Running) -> None:
    settings = intake.service.settings.model_copy(update={"attachments_url": "gopher://nowhere"})
    assert isinstance(settings, IntakeSettings)
    with pytest.raises(BadSettings, match="SHOUWEN_ATTACHMENTS_URL"):
        create(settings)


@pytest.mark.req("I-18")
async def test_files_of_an_erased_person_cannot_be_read_any_more(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    phone = f"139{uuid4().int % 10**8:08}"
    number = (await register(matter(requester={"name": "李", "phone": phone}))).json()["number"]
    added = (await send(intake, number, NAME, pdf())).json()
    director = intake.token("bj.manager", roles=["manager"])
    path = f"/api/cases/{number}"
    assert (await intake.http.post(f"{path}/withdraw", json={"reason": "撤回"}, headers=director)).status_code == 200
    asked = await intake.http.post(
        "/api/erasures", json={"reason": "本人申请", "phone": phone}, headers=intake.token("one", [], ["group_admin"])
    )
    done = await intake.http.post(
        f"/api/erasures/{asked.json()['id']}/confirm", headers=intake.token("two", [], ["group_admin"])
    )
    assert done.status_code == 200, done.text
    gone = await intake.http.get(f"{path}/attachments/{added['id']}", headers=director)
    assert (gone.status_code, gone.json()["code"]) == (404, "attachment_erased")
    [listed] = (await intake.http.get(f"{path}/attachments", headers=director)).json()["items"]
    assert listed["erased"]
    assert listed["name"] != NAME
    [row] = await intake.fetch("SELECT place, data_key FROM attachment WHERE id = $1::uuid", added["id"])
    assert row["data_key"] is None
