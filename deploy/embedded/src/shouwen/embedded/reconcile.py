"""``shouwen reconcile``: do intents equal effects? Reads only what the services' own APIs tell a group auditor.

What must hold when everything has come to rest:

- every number of a branch and year is there, without a gap, and every acknowledged registration is in the register;
- every case that a pack times has its clocks, no clock exists twice, and no clock times a case that is not there;
- a resolved case has no open clock, and a withdrawn one no running clock;
- every client named by a case was screened once;
- the owner of every case, and everyone who must hear of a breach, was told once on each channel, nobody twice;
- no e-mail stands in the evaluation mailbox twice;
- no outbox holds anything back, every consumer stands at the end of its streams, nothing lies in dead letters.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shouwen.embedded.access import Access

Item = Mapping[str, Any]
OPEN_CLOCK_STATES = ("scheduled", "running", "paused")
TIMED_TYPES = ("complaint", "inquiry")
"""The case types for which every shipped composition of packs has at least one clock."""


@dataclass(frozen=True, slots=True)
class Account:
    """All that the services told; lists are complete, not pages."""

    cases: Sequence[Item]
    clocks: Sequence[Item]
    deliveries: Sequence[Item]
    screenings: Sequence[Item]
    mails: Sequence[Item]
    streams: Mapping[str, Item]
    intents: Sequence[Item] = ()


@dataclass(slots=True)
class Finding:
    """The outcome of one check: how many things were looked at and what is wrong with them."""

    check: str
    looked_at: int
    faults: list[str] = field(default_factory=list[str])


def reconcile(account: Account) -> list[Finding]:
    """Hold the services' accounts against each other."""
    return [
        _numbers_without_gap(account.cases),
        _intents_kept(account.intents, account.cases),
        _timed_cases_have_clocks(account.cases, account.clocks),
        _clocks_are_unique(account.clocks),
        _clocks_follow_cases(account.cases, account.clocks),
        _clients_screened_once(account.cases, account.screenings),
        _owners_told_once(account.cases, account.deliveries),
        _breaches_told(account.clocks, account.deliveries),
        _nobody_told_twice(account.deliveries),
        _mails_unique(account.mails),
        _deliveries_finished(account.deliveries),
        _streams_at_rest(account.streams),
    ]


def _numbers_without_gap(cases: Sequence[Item]) -> Finding:
    finding = Finding("numbers run without a gap per branch and year", len(cases))
    series: dict[str, list[int]] = defaultdict(list)
    for case in cases:
        prefix, _, serial = case["number"].rpartition("-")
        series[prefix].append(int(serial))
    for prefix, serials in series.items():
        missing = sorted(set(range(1, max(serials) + 1)) - set(serials))
        finding.faults += [f"{prefix}-{serial:06d} is missing" for serial in missing]
        finding.faults += [f"{prefix}-{serial:06d} occurs {n} times" for serial, n in Counter(serials).items() if n > 1]
    return finding


def _intents_kept(intents: Sequence[Item], cases: Sequence[Item]) -> Finding:
    finding = Finding(
        "every acknowledged registration is in the register, in its last acknowledged state", len(intents)
    )
    by_number = {case["number"]: case for case in cases}
    for intent in intents:
        case = by_number.get(intent["number"])
        if case is None:
            finding.faults.append(f"{intent['number']} was acknowledged and is not in the register")
        elif intent.get("state") and case["state"] != intent["state"]:
            finding.faults.append(f"{intent['number']} is {case['state']}, acknowledged was {intent['state']}")
    if intents:
        numbers = {intent["number"] for intent in intents}
        finding.faults += [f"{number} is in the register twice or unasked" for number in by_number.keys() - numbers]
    return finding


def _timed_cases_have_clocks(cases: Sequence[Item], clocks: Sequence[Item]) -> Finding:
    timed = [case for case in cases if case["type"] in TIMED_TYPES]
    finding = Finding("every complaint and inquiry has its clocks, alike within a branch", len(timed))
    targets: dict[str, set[str]] = defaultdict(set)
    for clock in clocks:
        targets[clock["subject"]].add(f"{clock['pack']}/{clock['policy']}/{clock['target']}")
    for case in timed:
        if not targets[f"case/{case['id']}"]:
            finding.faults.append(f"{case['number']} has no clock")
    known = {f"case/{case['id']}" for case in cases}
    strangers = {subject for subject in targets if subject.startswith("case/")} - known
    finding.faults += [f"{subject} has clocks and is not in the register" for subject in sorted(strangers)]
    return finding


def _clocks_are_unique(clocks: Sequence[Item]) -> Finding:
    finding = Finding("no clock exists twice", len(clocks))
    names = Counter(
        (clock["subject"], clock["pack"], clock["policy"], clock["target"], clock.get("cycle", 1)) for clock in clocks
    )
    finding.faults += [f"{'/'.join(map(str, name))} exists {n} times" for name, n in names.items() if n > 1]
    return finding


def _clocks_follow_cases(cases: Sequence[Item], clocks: Sequence[Item]) -> Finding:
    ended = {f"case/{case['id']}": case for case in cases if case["state"] in ("resolved", "withdrawn")}
    finding = Finding("ended cases have no open clock", len(ended))
    for clock in clocks:
        case = ended.get(clock["subject"])
        if case and clock["state"] in OPEN_CLOCK_STATES:
            finding.faults.append(f"{case['number']} is {case['state']}, its {clock['target']} is {clock['state']}")
    return finding


def _clients_screened_once(cases: Sequence[Item], screenings: Sequence[Item]) -> Finding:
    named = {f"case/{case['id']}": case for case in cases if case.get("client")}
    finding = Finding("every named client was screened once", len(named))
    counts = Counter(screening["subject"] for screening in screenings)
    finding.faults += [
        f"{case['number']} was screened {counts[subject]} times"
        for subject, case in named.items()
        if counts[subject] != 1
    ]
    return finding


def _owners_told_once(cases: Sequence[Item], deliveries: Sequence[Item]) -> Finding:
    finding = Finding("the first owner of every case was told once", len(cases))
    told = Counter(
        delivery["subject"]
        for delivery in deliveries
        if delivery["template"] == "case_registered" and delivery["channel"] == "inbox"
    )
    for case in cases:
        times = told[f"case/{case['id']}"]
        if times != 1:
            finding.faults.append(f"{case['number']}: the owner was told {times} times")
    return finding


def _breaches_told(clocks: Sequence[Item], deliveries: Sequence[Item]) -> Finding:
    breached = Counter(clock["subject"] for clock in clocks if clock["breached"])
    finding = Finding("every breach was told to the responsible person or role", sum(breached.values()))
    causes: dict[str, set[str]] = defaultdict(set)
    for delivery in deliveries:
        if delivery["template"] == "clock_breached":
            causes[delivery["subject"]].add(delivery["cause"])
    for subject, count in breached.items():
        # Limits that had passed when a matter came in are told together, by the breach of one of them.
        if not 1 <= len(causes[subject]) <= count:
            finding.faults.append(f"{subject}: {count} breached clocks, {len(causes[subject])} told")
    return finding


def _nobody_told_twice(deliveries: Sequence[Item]) -> Finding:
    finding = Finding("nobody was told twice of one cause on one channel", len(deliveries))
    told = Counter((delivery["cause"], delivery["recipient"], delivery["channel"]) for delivery in deliveries)
    finding.faults += [f"{'/'.join(key)} was told {n} times" for key, n in told.items() if n > 1]
    return finding


def _mails_unique(mails: Sequence[Item]) -> Finding:
    finding = Finding("no e-mail arrived twice", len(mails))
    arrived = Counter(mail["message_id"] for mail in mails)
    finding.faults += [f"{message_id} arrived {n} times" for message_id, n in arrived.items() if n > 1]
    return finding


def _deliveries_finished(deliveries: Sequence[Item]) -> Finding:
    finding = Finding("no delivery is left undone", len(deliveries), _undone(deliveries))
    failed = sum(delivery["state"] == "failed" for delivery in deliveries)
    finding.faults += [f"{failed} deliveries are failed"] if failed else []
    return finding


def _undone(deliveries: Sequence[Item]) -> list[str]:
    states = Counter(delivery["state"] for delivery in deliveries)
    undone = states.keys() - {"sent", "uncertain", "failed"}
    return [f"{states[state]} deliveries are {state}" for state in sorted(undone)]


def _streams_at_rest(streams: Mapping[str, Item]) -> Finding:
    finding = Finding("outboxes are empty, consumers at the end, dead letters none", len(streams), _moving(streams))
    finding.faults += [
        f"{service}: {report['dead_letters']} dead letters"
        for service, report in streams.items()
        if report["dead_letters"]
    ]
    return finding


def _moving(streams: Mapping[str, Item]) -> list[str]:
    """What the services have still to send or to read."""
    faults: list[str] = []
    for service, report in streams.items():
        if report["outbox_pending"]:
            faults.append(f"{service}: {report['outbox_pending']} events wait in the outbox")
        for stream in report["items"]:
            if stream["lag"]:
                faults.append(f"{service}: {stream['lag']} events of {stream['stream']} are unread")
            elif not stream["partitions"]:
                faults.append(f"{service}: holds no partition of {stream['stream']}")
    return faults


def _standing(streams: Mapping[str, Item]) -> dict[str, Any]:
    """How far every service is in what it hears, and what it has to send."""
    return {service: (report["outbox_pending"], report["items"]) for service, report in streams.items()}


async def collect(access: Access, intents: Path | None = None) -> Account:
    """Read the accounts of all services that run, as they stand while it reads."""
    async with httpx.AsyncClient(timeout=60) as http:
        return await _Reader(access, http).account(intents)


async def collect_at_rest(access: Access, intents: Path | None = None, *, timeout: float) -> Account | None:
    """The accounts of a moment at which no service had anything left to send, to read or to tell.

    Services are asked one after another, and a timer may fire in between: what one has just sent is then unread by
    another that seemed to be finished. Only when every stream stands after the reading where it stood before it, the
    accounts belong together.

    Returns:
        None when ``timeout`` seconds were not enough.
    """
    return await _at_rest(access, timeout, lambda reader: reader.account(intents))


async def until_at_rest(access: Access, *, timeout: float) -> bool:
    """Wait until no service has anything left to send, read or tell; False when ``timeout`` seconds were not enough."""

    async def messages(reader: _Reader) -> Account:
        deliveries = await reader.all("notify", "/api/deliveries")
        return Account(
            cases=(), clocks=(), deliveries=deliveries, screenings=(), mails=(), streams=await reader.streams()
        )

    return await _at_rest(access, timeout, messages) is not None


async def _at_rest(access: Access, timeout: float, read: Callable[["_Reader"], Awaitable[Account]]) -> Account | None:
    deadline = asyncio.get_running_loop().time() + timeout
    async with httpx.AsyncClient(timeout=60) as http:
        reader = _Reader(access, http)
        while asyncio.get_running_loop().time() < deadline:
            # A service that is being restarted does not answer, and has not said yet where it listens.
            with suppress(httpx.HTTPError, KeyError):
                before = await reader.streams()
                if not _moving(before):
                    account = await read(reader)
                    if _standing(account.streams) == _standing(before) and not _undone(account.deliveries):
                        return account
            await asyncio.sleep(1)
    return None


def _read_intents(path: Path) -> list[Item]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


class _Reader:
    def __init__(self, access: Access, http: httpx.AsyncClient) -> None:
        self._access = access
        self._http = http

    async def account(self, intents: Path | None) -> Account:
        """All lists, and after them where every stream stands."""
        return Account(
            cases=await self.all("intake", "/api/cases"),
            clocks=await self.all("sla", "/api/clocks"),
            deliveries=await self.all("notify", "/api/deliveries"),
            screenings=await self.all("review", "/api/screenings"),
            mails=await self.all("notify", "/api/mailbox"),
            intents=_read_intents(intents) if intents else (),
            streams=await self.streams(),
        )

    async def streams(self) -> dict[str, Item]:
        return {name: await self.one(name, "/api/streams") for name in self._access.services}

    async def one(self, service: str, path: str, **parameters: str) -> Any:
        headers = self._access.headers("reconcile", [], ["group_auditor"])
        response = await self._http.get(f"{self._access.url(service)}{path}", params=parameters, headers=headers)
        response.raise_for_status()
        return response.json()

    async def all(self, service: str, path: str) -> list[Item]:
        """Every item of a list, page by page; none where the service is not running."""
        if service not in self._access.services:
            return []
        items: list[Item] = []
        after: str | None = ""
        while after is not None:
            page = await self.one(service, path, limit="200", **({"after": after} if after else {}))
            items += page["items"]
            after = page["next"]
        return items


def report(findings: Iterable[Finding], *, most: int = 10) -> bool:
    """Print the findings; True when nothing is wrong."""
    clean = True
    for finding in findings:
        clean &= not finding.faults
        print(f"{'ok ' if not finding.faults else 'BAD'}  {finding.check} ({finding.looked_at})")
        for fault in finding.faults[:most]:
            print(f"       {fault}")
        if len(finding.faults) > most:
            print(f"       … and {len(finding.faults) - most} more")
    return clean
