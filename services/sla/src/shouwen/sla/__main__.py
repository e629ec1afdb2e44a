"""``python -m shouwen.sla`` serves; ``… explain`` explains a deadline, offline; ``… calendar load`` loads a year."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shouwen.runtime.errors import Invalid, ShouwenError
from shouwen.sla import gateways
from shouwen.sla.domain.announcement import read_announcement
from shouwen.sla.domain.calendar import Schedule, Timetable, office_hours
from shouwen.sla.domain.instant import SECOND, moment
from shouwen.sla.domain.offline import Explanation, Instruction, explain_target, find_target

_DOINGS = ("pause", "resume", "stop", "cancel", "extend")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, explain, or load an announcement; the answer is the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given:
        from shouwen.runtime import service
        from shouwen.sla.app import create
        from shouwen.sla.settings import SlaSettings

        service.main(create, SlaSettings)
        return 0
    options = _parser().parse_args(given)
    try:
        sys.stdout.write(options.run(options))
    except ShouwenError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shouwen.sla", description="Without a command: serve.")
    commands = parser.add_subparsers(required=True)
    explain = commands.add_parser("explain", help="why a deadline is when it is, offline")
    explain.set_defaults(run=_explained)
    explain.add_argument("--pack", required=True)
    explain.add_argument("--policy", required=True)
    explain.add_argument("--target", required=True)
    explain.add_argument("--start", required=True, help="ISO 8601 with offset, as 2026-11-20T09:00:00+08:00")
    explain.add_argument("--due", help="the agreed time, for targets without a limit of their own")
    explain.add_argument(
        "--facts",
        help='JSON lines in any order: {"at": …, "do": "pause|resume|stop|cancel|extend", "reason": …}; '
        '"until" of a pause: when it ends by itself; "units" of an extension: how much, in the target\'s unit',
    )
    explain.add_argument("--schedule", help="YAML file of working hours; without it office hours in China")
    explain.add_argument("--branch", help="take the zone of this branch from SHOUWEN_DIRECTORY_FILE")
    explain.add_argument("--now", help="the instant to judge a breach at; without it the present")
    explain.add_argument("--format", choices=("json", "text"), default="text")
    calendar = commands.add_parser("calendar", help="announced holidays").add_subparsers(required=True)
    load = calendar.add_parser(
        "load",
        help="load the announcement of a year's holidays and make-up workdays",
        description="Through the API with --url and the token in SHOUWEN_TOKEN (role group_admin); without --url "
        "straight into the service's database, with the settings of the service.",
    )
    load.set_defaults(run=_loaded)
    load.add_argument("file", type=Path, help="YAML: year, source, holidays [{name, from, to}], workdays [date]")
    load.add_argument("--url", help="address of the sla service, as http://127.0.0.1:8102")
    return parser


def _explained(options: argparse.Namespace) -> str:
    pack, target = find_target(gateways.shipped_packs(), options.pack, options.policy, options.target)
    timetable = Timetable(_schedule(options))
    explanation = explain_target(
        pack,
        target,
        start=_instant(options.start, "start"),
        due=None if options.due is None else _instant(options.due, "due"),
        instructions=[] if options.facts is None else _facts(options.facts),
        timetable=timetable,
    )
    now = datetime.now(UTC) if options.now is None else _instant(options.now, "now")
    shown = _shown(explanation, timetable, now)
    return json.dumps(shown, ensure_ascii=False, indent=2) + "\n" if options.format == "json" else _text(shown)


def _loaded(options: argparse.Namespace) -> str:
    text = gateways.text_of(options.file, "file")
    announcement = read_announcement(text, file=options.file.name)
    if options.url is not None:
        gateways.send_announcement(options.url, os.environ.get("SHOUWEN_TOKEN", ""), text)
    else:
        from shouwen.sla.app import load_announcement
        from shouwen.sla.settings import SlaSettings

        asyncio.run(load_announcement(SlaSettings.model_validate({}), announcement))
    days = announcement.announced().days.values()
    holidays = sum(day.kind == "holiday" for day in days)
    return (
        f"{announcement.year}: {holidays} days off and {len(days) - holidays} make-up workdays are loaded; "
        "the service computes open clocks anew (GET /api/recalculations)\n"
    )


def _schedule(options: argparse.Namespace) -> Schedule:
    if options.schedule is not None:
        return gateways.schedule_of(Path(options.schedule))
    if options.branch is None:
        return office_hours()
    directory = os.environ.get("SHOUWEN_DIRECTORY_FILE")
    if not directory:
        raise Invalid("is not set.", field="SHOUWEN_DIRECTORY_FILE", remedy="Set it, or leave --branch out.")
    for branch in gateways.branches_of(Path(directory)):
        if branch.branch == options.branch:
            return office_hours(branch.time_zone)
    raise Invalid(f"The directory has no branch {options.branch}.", field="branch", remedy="Correct the code.")


def _instant(text: object, field: str) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid(
            "is not a time with an offset.", field=field, remedy="Write ISO 8601, as 2026-11-20T09:00:00+08:00."
        )
    return at


def _facts(name: str) -> list[Instruction]:
    instructions: list[Instruction] = []
    for number, line in enumerate(gateways.text_of(Path(name), "facts").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            fact: Any = json.loads(line)
        except ValueError:
            fact = None
        if not isinstance(fact, dict):
            raise Invalid("is not a JSON object.", field=where, remedy='Write {"at": "…", "do": "pause"}.')
        if fact.get("do") not in _DOINGS:
            raise Invalid("is not known.", field=f"{where}: do", remedy=f"Use one of {', '.join(_DOINGS)}.")
        until = None if fact.get("until") is None else _instant(fact["until"], f"{where}: until")
        units = fact.get("units")
        if fact["do"] == "extend" and (not isinstance(units, int) or units < 1):
            raise Invalid("has to be given.", field=f"{where}: units", remedy='Write a whole number, as "units": 2.')
        at = _instant(fact.get("at"), f"{where}: at")
        instructions.append(Instruction(at, fact["do"], fact.get("reason"), fact.get("by"), until, units))
    return instructions


def _shown(explanation: Explanation, timetable: Timetable, now: datetime) -> dict[str, Any]:
    def local(at: int | None) -> str | None:
        return None if at is None else moment(at).astimezone(timetable.zone).isoformat()

    clock = explanation.clock
    return {
        "pack": clock.target.pack,
        "pack_version": clock.target.version,
        "policy": clock.target.policy,
        "target": clock.target.name,
        "clause": clock.target.clause_text,
        "state": "scheduled" if clock.state == "running" and moment(clock.started_at) > now else clock.state_at(now),
        "breached": clock.is_breached(now),
        "started_at": local(clock.started_at),
        "due_at": local(clock.due_at) if clock.deadline_stands else None,
        "ended_at": local(clock.ended_at),
        "provisional": clock.provisional,
        "limit_seconds": clock.allowance.amount / SECOND,
        "remaining_seconds": explanation.remaining / SECOND,
        "firings": [
            {"kind": step.kind, "at": local(step.at), "level": step.level, "role": step.role}
            for step in explanation.firings
        ],
        "segments": [
            {
                "kind": segment.kind,
                "from": local(segment.starts),
                "to": local(segment.ends),
                "counted_seconds": segment.counted / SECOND,
                "reason": segment.reason,
                "by": segment.by,
            }
            for segment in explanation.segments
        ],
    }


def _text(shown: dict[str, Any]) -> str:
    lines = [
        f"{shown['pack']} {shown['policy']} {shown['target']} [{shown['clause']}]",
        f"{shown['state']}{', breached' if shown['breached'] else ''}",
        f"started {shown['started_at']}",
        f"due     {shown['due_at'] or 'paused'}{' (provisional)' if shown['provisional'] else ''}",
    ]
    lines += [
        f"  {each['kind']:<11} {each['from']}  {each['to'] or '…':<25}  {each['counted_seconds']:>9.0f} s  "
        f"{each['reason'] or ''}".rstrip()
        for each in shown["segments"]
    ]
    lines.append(f"  {'limit':<65}  {shown['limit_seconds']:>9.0f} s")
    lines += [f"{each['kind']:<13} {each['at']} {each['role'] or ''}".rstrip() for each in shown["firings"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
