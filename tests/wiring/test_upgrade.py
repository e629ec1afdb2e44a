"""A database of the first release is brought up to this one: its rows can be read, and the work on them goes on."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import asyncpg
import pytest
from mail_receiver import Receiver
from support import until

from shouwen.contracts.case import CaseResolved
from shouwen.contracts.clock import ClockBreached, ClockMet
from shouwen.contracts.event import CloudEvent
from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.intake.app import create as create_intake
from shouwen.intake.settings import IntakeSettings
from shouwen.notify.app import create as create_notify
from shouwen.notify.settings import NotifySettings
from shouwen.review.app import create as create_review
from shouwen.review.settings import ReviewSettings
from shouwen.runtime import migrate
from shouwen.runtime.privacy import KeyRing, keyed_hash, read_key
from shouwen.runtime.testing import Grounds, Running, grounds
from shouwen.sla.app import create as create_sla
from shouwen.sla.settings import SlaSettings

Row = dict[str, Any]
NOW = datetime.now(UTC).replace(microsecond=0)
CASE, OTHER, ENTRY, CLIENT, MESSAGE = (uuid4() for _ in range(5))
SUBJECT = f"case/{CASE}"
NUMBER = f"BJ-{NOW.year}-000007"
PHONE, IDENTIFIER = "13655500123", "91110105MA01KXQ27B"
FIRST_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Old:
    """A database as the first release of a service left it, open for its rows."""

    def __init__(self, ground: Grounds, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        values = ground.values()
        self._connection = connection
        self.ground = ground
        self.encrypt = KeyRing.from_setting(values["privacy_keys"]).encrypt
        self._hash_key = read_key(values["privacy_hash_key"])

    def hash(self, text: str) -> str:
        return keyed_hash(self._hash_key, text)

    async def add(self, table: str, **row: Any) -> None:
        places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        query = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"  # noqa: S608 (the names are this file's)
        await self._connection.execute(query, *row.values())


@asynccontextmanager
async def first_release(
    infrastructure: Infrastructure, service: Literal["intake", "sla", "notify", "review"]
) -> AsyncGenerator[Old]:
    """The first migration of the runtime and of the service, and none after them."""

    def first(package: str) -> list[migrate.Migration]:
        return read(package)[:1]

    async with grounds(infrastructure, service) as ground:
        read = migrate.read
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(migrate, "read", first)
            applied = await migrate.migrate(ground.url("owner"), service, [f"shouwen.{service}"])
        assert [each.rpartition("/")[2][:4] for each in applied] == ["0001", "0001"]
        connection = await asyncpg.connect(ground.url("owner"))
        try:
            yield Old(ground, connection)
        finally:
            await connection.close()


async def got(one: Running, path: str, **query: Any) -> Any:
    answer = await one.http.get(path, params=query, headers=one.token("bj.clerk", ["beijing"], ["clerk"]))
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- intake ---------------------------------------------------------------------------------------------------------


async def _fill_intake(old: Old) -> None:
    await old.add(
        "branch",
        branch="beijing",
        name="北京",
        number_prefix="BJ",
        time_zone="Asia/Shanghai",
        packs=["labour-dispatch"],
    )
    for person, role in (("bj.clerk", "clerk"), ("bj.manager", "manager")):
        await old.add(
            "person", person=person, branch="beijing", roles=[role], active=True, name=old.encrypt("王芳"), email=None
        )
    await old.add("number_counter", branch="beijing", year=NOW.year, last=7)
    common: Row = {
        "branch": "beijing",
        "type": "complaint",
        "severity": "ordinary",
        "channel": "phone",
        "relation": "client_company",
        "registrar": "bj.clerk",
        "owner": "bj.clerk",
        "department": "customer-service",
        "received_at": NOW - timedelta(hours=3),
        "registered_at": NOW - timedelta(hours=2),
        "traceparent": FIRST_TRACE,
        "subject": old.encrypt("工资未按时到账"),
        "description": old.encrypt("李建国来电，本月工资至今未到账。"),
        "requester_name": old.encrypt("李建国"),
        "requester_phone": old.encrypt(PHONE),
        "requester_phone_hash": old.hash(PHONE),
        "client_name": old.encrypt("广州诚鑫达商贸有限公司"),
        "client_identifier": old.encrypt(IDENTIFIER),
        "client_identifier_hash": old.hash(IDENTIFIER),
    }
    await old.add("cases", id=CASE, number=NUMBER, state="received", **common)
    ended_at = NOW - timedelta(hours=1)
    await old.add("cases", id=OTHER, number=f"{NUMBER[:-1]}6", state="resolved", ended_at=ended_at, **common)
    for case, number in ((CASE, NUMBER), (OTHER, f"{NUMBER[:-1]}6")):
        await old.add(
            "case_fact",
            event_id=str(uuid4()),
            case_id=case,
            branch="beijing",
            type="case.registered.v1",
            at=common["registered_at"],
            recorded_at=common["registered_at"],
            actor="bj.clerk",
            details=f'{{"owner": "bj.clerk", "department": "customer-service", "number": "{number}"}}',
        )
    due_at = (NOW + timedelta(days=1)).isoformat()
    details = f'{{"clock_id": "{uuid4()}", "target": "written_plan", "due_at": "{due_at}"}}'
    heard: Row = {"source": "/shouwen/sla", "event_id": "e1", "case_id": CASE, "branch": "beijing", "heard_at": NOW}
    started_at = common["registered_at"] + timedelta(seconds=1)
    await old.add("heard_fact", type="clock.started.v1", at=started_at, details=details, **heard)
    listing: Row = {"list_entry_id": ENTRY, "branch": "beijing", "reason_code": "forged_documents"}
    await old.add("listed_client", identifier_hash=old.hash(IDENTIFIER), listed_at=NOW, **listing)
    await old.add("case_mark", case_id=CASE, mark="client_blacklisted", marked_at=NOW, **listing)
    await old.add("look", at=NOW, person="bj.manager", case_id=CASE, branch="beijing", fields=["requester.phone"])


async def test_cases_of_the_first_release_are_read_found_and_worked_on(infrastructure: Infrastructure) -> None:
    async with first_release(infrastructure, "intake") as old:
        await _fill_intake(old)
        async with old.ground.running(create_intake, IntakeSettings) as intake:
            case = await got(intake, f"/api/cases/{NUMBER}")
            assert (case["state"], case["owner"], case["erased"]) == ("received", "bj.clerk", [])
            assert case["subject"] == "工资未按时到账"
            assert case["requester"]["name"] == "李建国"
            assert case["client"]["name"] == "广州诚鑫达商贸有限公司"
            assert [mark["mark"] for mark in case["marks"]] == ["client_blacklisted"]
            assert datetime.fromisoformat(case["next_due_at"]) == NOW + timedelta(days=1)
            timeline = (await got(intake, f"/api/cases/{NUMBER}/timeline"))["items"]
            assert [each["type"] for each in timeline] == ["case.registered.v1", "clock.started.v1"]
            custody = await got(intake, f"/api/cases/{NUMBER}/custody")
            assert "bj.clerk" in str(custody)

            async def found(**query: str) -> set[str]:
                return {each["number"] for each in (await got(intake, "/api/cases", **query))["items"]}

            async def by_words() -> set[str]:
                return await found(text="工资未按时")

            both = {NUMBER, f"{NUMBER[:-1]}6"}
            assert await found(phone=PHONE) == await found(client_identifier=IDENTIFIER) == both
            assert await until(by_words, bool) == both, "the service makes old cases findable by their words"

            headers = intake.token("bj.clerk", ["beijing"], ["clerk"])
            for command, body in (("reply", {"text": "已答复"}), ("resolve", {"summary": "已补发"})):
                done = await intake.http.post(f"/api/cases/{NUMBER}/{command}", json=body, headers=headers)
                assert done.status_code == 200, done.text
            matter: Row = {"type": "complaint", "channel": "phone", "branch": "beijing", "subject": "x"}
            matter |= {"description": "x", "requester": {"name": "李", "relation": "client_company"}}
            made = await intake.http.post(
                "/api/cases", json=matter, headers=headers | {"Idempotency-Key": str(uuid4())}
            )
            assert made.status_code == 201, made.text
            assert made.json()["number"] == f"{NUMBER[:-1]}8", "numbers go on where they were"


# --- sla ------------------------------------------------------------------------------------------------------------


def _clock(case: UUID, started_at: datetime) -> Row:
    """A complaint to the talent centre, to be handled in 24 hours: warned at 50 and 80 %, then told to two roles."""
    due_at = started_at + timedelta(hours=24)
    fire_at = [started_at + timedelta(hours=hours) for hours in (12, 19.2, 24, 24, 48)]
    step = sum(at <= NOW - timedelta(minutes=1) for at in fire_at)
    name = f"shouwen:chengdu:case/{case}:talent-centre:complaint:resolution:1"
    return {
        "clock_id": uuid5(NAMESPACE_URL, name),
        "branch": "chengdu",
        "subject": f"case/{case}",
        "pack": "talent-centre",
        "pack_version": 1,
        "policy": "complaint",
        "target": "resolution",
        "clause": "001 §20",
        "cycle": 1,
        "state": "running",
        "breached": step > 2,
        "provisional": False,
        "started_at": started_at,
        "due_at": due_at,
        "deadline_stands": True,
        "pauses": "[]",
        "owner": "cd.clerk",
        "traceparent": FIRST_TRACE,
        "fire_at": fire_at,
        "fired_at": [*fire_at[:step], *[None] * (5 - step)],
        "breach_step": 2,
        "roles": ["manager", "general_manager"],
        "step": step,
        "generation": 1,
        "next_fire_at": fire_at[step],
    }


async def _fill_sla(old: Old, clocks: Sequence[Row]) -> None:
    await old.add(
        "branch", branch="chengdu", name="成都", time_zone="Asia/Shanghai", packs=["talent-centre"], from_file=False
    )
    for clock in clocks:
        subject = clock["subject"]
        received_at = clock["started_at"].isoformat()
        await old.add("subject", branch="chengdu", subject=subject, facts=1)
        await old.add(
            "fact",
            branch="chengdu",
            subject=subject,
            source="/shouwen/intake",
            event_id=str(uuid4()),
            event_type="case.registered.v1",
            event_time=clock["started_at"],
            data=f'{{"branch": "chengdu", "case_id": "{subject[5:]}", "number": "CD-1", "case_type": "complaint", '
            f'"channel": "phone", "received_at": "{received_at}", "registered_at": "{received_at}", '
            '"registrar": "cd.clerk", "owner": "cd.clerk"}',
            traceparent=FIRST_TRACE,
        )
        await old.add("clock", **clock)
    notice: Row = {"source": "/shouwen/intake", "event_id": "n", "event_type": "case.notice_requested.v1"}
    await old.add("subject", branch="chengdu", subject="case/told", facts=1)
    await old.add("fact", branch="chengdu", subject="case/told", event_time=NOW, data='{"sealed": "eyJ"}', **notice)


async def test_clocks_of_the_first_release_fire_and_are_met(infrastructure: Infrastructure) -> None:
    overdue, running = _clock(CASE, NOW - timedelta(hours=24, seconds=10)), _clock(OTHER, NOW - timedelta(hours=13))
    async with first_release(infrastructure, "sla") as old:
        await _fill_sla(old, [overdue, running])
        async with old.ground.running(create_sla, SlaSettings, ticker_interval=0.05) as sla:
            [told] = await sla.fetch("SELECT data::text AS data FROM fact WHERE subject = 'case/told'")
            assert told["data"] == "{}", "what only notify can open is not kept any more"
            [breached] = await sla.emitted(ClockBreached)
            assert breached.data.clock_id == overdue["clock_id"]
            assert breached.data.due_at == overdue["due_at"]
            fact = CaseResolved.model_validate(
                {"branch": "chengdu", "case_id": OTHER, "number": "CD-1", "resolved_at": NOW, "resolved_by": "cd.clerk"}
            )
            await sla.hears(CloudEvent.of(fact, source="/shouwen/intake", time=NOW))
            [met] = await sla.emitted(ClockMet)
            assert met.data.clock_id == running["clock_id"]
            headers = sla.token("cd.clerk", ["chengdu"], ["clerk"])
            listed = (await sla.http.get("/api/clocks", headers=headers)).json()["items"]
            assert {each["id"]: (each["state"], each["breached"]) for each in listed} == {
                str(overdue["clock_id"]): ("running", True),
                str(running["clock_id"]): ("completed", False),
            }
            why = (await sla.http.get(f"/api/clocks/{overdue['clock_id']}", headers=headers)).json()
            assert datetime.fromisoformat(why["segments"][0]["from"]) == overdue["started_at"]


# --- notify ---------------------------------------------------------------------------------------------------------


async def _fill_notify(old: Old, *, address: str) -> None:
    await old.add("branch", branch="beijing", time_zone="Asia/Shanghai")
    email = old.encrypt(address)
    await old.add("person", person="bj.clerk", branch="beijing", roles=["clerk"], active=True, email=email)
    told: Row = {"branch": "beijing", "subject": SUBJECT, "cause_source": "/shouwen/intake", "cause": "e1"}
    told |= {"recipient": "bj.clerk"}
    await old.add("matter", branch="beijing", subject=SUBJECT, number=NUMBER)
    await old.add(
        "message",
        id=MESSAGE,
        cause_type="case.registered.v1",
        reason="owner",
        template="case_registered",
        texts='{"zh": {"subject": "新事项", "body": "请处理。"}, "en": {"subject": "New matter", "body": "See it."}}',
        link="http://127.0.0.1:8101/api/cases/1",
        created_at=NOW,
        **told,
    )
    for channel, state in (
        ("inbox", {"state": "sent", "sent_at": NOW}),
        ("email", {"state": "pending", "next_attempt_at": NOW}),
    ):
        await old.add("delivery", id=uuid4(), message_id=MESSAGE, channel=channel, pending_since=NOW, **told, **state)


async def test_messages_of_the_first_release_are_read_and_those_that_waited_go_out(
    infrastructure: Infrastructure,
) -> None:
    receiver = Receiver(free_port())
    await receiver.start()
    try:
        async with first_release(infrastructure, "notify") as old:
            await _fill_notify(old, address="wang.fang@example.com")
            mail: Row = {"smtp_host": "127.0.0.1", "smtp_port": receiver.port, "mail_from": "shouwen@example.com"}
            async with old.ground.running(create_notify, NotifySettings, sender_interval=0.05, **mail) as notify:
                [letter] = (await got(notify, "/api/inbox"))["items"]
                assert (letter["zh"]["body"], letter["en"]["subject"]) == ("请处理。", "New matter")

                async def log() -> list[Row]:
                    return (await got(notify, "/api/deliveries", subject=SUBJECT))["items"]

                sent = await until(log, lambda found: all(each["state"] == "sent" for each in found))
                assert {each["channel"] for each in sent} == {"inbox", "email"}
                [arrived] = receiver.to("wang.fang@example.com")
                assert "新事项" in arrived["Subject"]
    finally:
        await receiver.stop()


# --- review ---------------------------------------------------------------------------------------------------------


async def _fill_review(old: Old) -> None:
    who: Row = {
        "branch": "beijing",
        "kind": "company",
        "name": old.encrypt("广州诚鑫达商贸有限公司"),
        "identifier": old.encrypt(IDENTIFIER),
        "identifier_hash": old.hash(IDENTIFIER),
    }
    await old.add("form_counter", branch="beijing", year=NOW.year, last=4)
    number = f"DJ-BEIJING-{NOW.year}-000004"
    registered: Row = {
        "consent": True,
        "originals_seen": ["营业执照"],
        "registered_by": "bj.clerk",
        "registered_at": NOW,
    }
    await old.add("client", id=CLIENT, number=number, **who, **registered)
    await old.add(
        "list_entry",
        id=ENTRY,
        client_id=CLIENT,
        comparable_name="广州诚鑫达商贸",
        reason_code="forged_documents",
        reason=old.encrypt("证明系伪造"),
        state="listed",
        proposed_by="bj.clerk",
        proposed_at=NOW,
        confirmed_by="bj.manager",
        confirmed_at=NOW,
        **who,
    )
    steps = (("proposed", "bj.clerk", old.encrypt("证明系伪造")), ("confirmed", "bj.manager", None))
    for step, person, reason in steps:
        await old.add(
            "list_step", list_entry_id=ENTRY, branch="beijing", step=step, at=NOW, person=person, reason=reason
        )
    hits = f'[{{"list_entry_id": "{ENTRY}", "match": "identifier", "reason_code": "forged_documents"}}]'
    await old.add("screening", case_id=CASE, branch="beijing", screened_at=NOW, hits=hits)


async def test_clients_and_the_list_of_the_first_release_stand(infrastructure: Infrastructure) -> None:
    async with first_release(infrastructure, "review") as old:
        await _fill_review(old)
        async with old.ground.running(create_review, ReviewSettings) as review:
            client = await got(review, f"/api/clients/{CLIENT}")
            assert (client["name"], client["listed"], client["erased_at"]) == ("广州诚鑫达商贸有限公司", True, None)
            entry = await got(review, f"/api/list-entries/{ENTRY}")
            assert (entry["state"], entry["serious"]) == ("listed", False)
            assert [(each["step"], each["reason"]) for each in entry["history"]] == [
                ("proposed", "证明系伪造"),
                ("confirmed", None),
            ]
            [screening] = (await got(review, "/api/screenings", subject=SUBJECT))["items"]
            assert screening["hits"][0]["list_entry_id"] == str(ENTRY)
            headers = review.token("bj.clerk", ["beijing"], ["clerk"])
            for asked in ({"identifier": IDENTIFIER}, {"name": "廣州誠鑫達商貿有限公司"}):
                answer = (await review.http.post("/api/screen", json=asked, headers=headers)).json()
                assert [hit["list_entry_id"] for hit in answer["hits"]] == [str(ENTRY)]
            form = {"branch": "beijing", "kind": "individual", "name": "王芳", "identifier": "11010519491231002X"}
            made = await review.http.post("/api/clients", json={**form, "consent": True}, headers=headers)
            assert made.status_code == 201, made.text
            assert made.json()["number"] == f"DJ-BEIJING-{NOW.year}-000005", "numbers go on where they were"
