"""The `shouwen` command."""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import httpx

from shouwen.embedded import services, tokens
from shouwen.embedded.access import Access
from shouwen.embedded.errors import LauncherError
from shouwen.embedded.home import DEFAULT, Home, State
from shouwen.embedded.ports import Ports
from shouwen.embedded.secrets import Secrets
from shouwen.embedded.suite import Suite

DOWN_SECONDS = 90.0
HEALTH_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with 1 on an error that it explains, with 2 on a wrong option."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        sys.exit(command(options))
    except LauncherError as error:
        print(f"shouwen: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


class _Stop(Exception):
    """A signal asked the launcher to stop."""


def _up(options: argparse.Namespace) -> int:
    suite = Suite(
        Home.chosen(options.home),
        only=services.chosen(options.only),
        ports=Ports() if options.port_base is None else Ports.from_base(options.port_base),
        external_kafka=options.kafka,
        external_postgres=options.postgres,
        traces=not options.no_traces,
        host=options.host,
        stream_prefix=os.environ.get("SHOUWEN_STREAM_PREFIX", ""),
        say=_say,
    )
    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in stopping:
        signal.signal(number, _raise_stop)
    try:
        _say(f"Starting {', '.join(suite.only or []) or 'no service'} on {suite.home.path}")
        suite.start()
        _print_places(suite.state, suite.home)
        _print_trial(suite.state, suite.home)
        suite.watch()
    except _Stop:
        _say("Stopping …")
    finally:
        for number in stopping:  # once is enough: every step of the stop has its own limit of time
            signal.signal(number, signal.SIG_IGN)
        suite.stop()
    _say("Stopped; the data stay in the home folder")
    return 0


def _raise_stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise _Stop


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def _status(options: argparse.Namespace) -> int:
    home = Home.chosen(options.home)
    state = home.read()
    healthy = True
    for name, url in state.services.items():
        ready = _is_ready(url)
        healthy &= ready
        print(f"{name:<8} {'ready' if ready else 'NOT READY':<10} {url}")
    _print_places(state, home)
    return 0 if healthy else 1


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=HEALTH_SECONDS).is_success
    except httpx.HTTPError:
        return False


def _down(options: argparse.Namespace) -> int:
    home = Home.chosen(options.home)
    launcher = home.launcher()
    if launcher is None:
        stopped = Suite(home).stop_leftovers() if home.run.is_dir() else []
        print(f"Stopped what was left behind: {', '.join(stopped)}" if stopped else f"Nothing runs on {home.path}")
        return 0
    launcher.terminate()
    deadline = time.monotonic() + DOWN_SECONDS
    while home.launcher() is not None:
        if time.monotonic() > deadline:
            raise LauncherError(
                f"The launcher (process {launcher.pid}) did not stop within {DOWN_SECONDS:.0f} s",
                f"See {home.logs}; after `kill -9 {launcher.pid}` the next start takes over",
            )
        time.sleep(0.1)
    print(f"Stopped the suite on {home.path}")
    return 0


def _token(options: argparse.Namespace) -> int:
    home = Home.chosen(options.home)
    print(
        tokens.token(
            home.read(),
            Secrets(home.secrets),
            person=options.person,
            name=options.name,
            branches=_names(options.branch),
            roles=_names(options.role),
            hours=options.hours,
        )
    )
    return 0


def _demo(options: argparse.Namespace) -> int:
    from shouwen.embedded import demo

    try:
        asyncio.run(demo.play(Access.of(Home.chosen(options.home)), demo.script()))
    except demo.DemoFailed as error:
        raise LauncherError(str(error)) from None
    return 0


def _load(options: argparse.Namespace) -> int:
    from shouwen.embedded import load

    done = load.Load(matters=options.matters, rate=options.rate, patience=timedelta(minutes=3))
    try:
        asyncio.run(load.run(Access.of(Home.chosen(options.home)), done))
    except load.LoadFailed as error:
        raise LauncherError(str(error)) from None
    if options.ledger:
        done.write(Path(options.ledger))
    print(f"{options.matters} matters in {done.seconds:.1f} s, {done.repeated} requests repeated")
    return 0


def _reconcile(options: argparse.Namespace) -> int:
    from shouwen.embedded import reconcile

    access = Access.of(Home.chosen(options.home))
    ledger = Path(options.ledger) if options.ledger else None

    async def look() -> bool:
        account = await reconcile.collect_at_rest(access, ledger, timeout=options.wait)
        if account is None:
            if options.wait:
                print(f"The services were not at rest within {options.wait:.0f} s")
            account = await reconcile.collect(access, ledger)
        return reconcile.report(reconcile.reconcile(account))

    return 0 if asyncio.run(look()) else 1


def _dead(options: argparse.Namespace) -> int:
    from shouwen.embedded.dead import DeadLetters

    letters = DeadLetters(Access.of(Home.chosen(options.home)))
    only = _names(options.service or [])
    match options.action:
        case "list":
            letters.show_list(only)
        case "show":
            letters.show(options.letter)
        case _:
            letters.replay(options.letters, only, everything=options.all)
    return 0


def _sla(options: argparse.Namespace) -> int:
    """What sla offers on the command line, asked of the suite that runs here where it needs one."""
    environment = dict(os.environ)
    arguments = list(options.arguments)
    if arguments[:1] == ["calendar"] and "--url" not in arguments:
        access = Access.of(Home.chosen(options.home))
        arguments += ["--url", access.url("sla")]
        bearer = access.headers("evaluation.group", [], ["group_admin"])["Authorization"]
        environment["SHOUWEN_TOKEN"] = bearer.removeprefix("Bearer ")
    return subprocess.run([sys.executable, "-m", "shouwen.sla", *arguments], env=environment, check=False).returncode


def _print_places(state: State, home: Home) -> None:
    lines = [(name, f"{url}/api/docs") for name, url in state.services.items()]
    if state.zipkin:
        lines.append(("traces", f"{state.zipkin}/zipkin/"))
    if state.mailbox:
        lines.append(("mail", f"{state.mailbox} (received on {state.smtp})"))
    lines += [
        ("kafka", f"{state.kafka}{f' (prefix {state.stream_prefix})' if state.stream_prefix else ''}"),
        ("postgres", f"{state.postgres} (password: {_password_place(state, home)})"),
        ("", f"its data: {state.postgres_data or 'where that server keeps them'}"),
        ("logs", str(home.logs)),
        ("home", f"{state.home} (launcher process {state.launcher}, since {state.started_at})"),
    ]
    print()
    for name, place in lines:
        print(f"  {name:<9} {place}")
    print(flush=True)


def _password_place(state: State, home: Home) -> str:
    return str(home.secrets / "shouwen_admin_password") if state.postgres_data else "as given to --postgres"


def _print_trial(state: State, home: Home) -> None:
    shouwen = _own_name()
    own = "" if home.path == Path(DEFAULT).absolute() else f" --home {home.path}"
    print("What to try, in another terminal:")
    if "intake" in state.services:
        print(f"  {shouwen} demo{own}    plays a day of three branches")
        print(f"  {shouwen} status{own}  shows this page again")
    if "intake" in state.services and state.evaluation:
        token = f"{shouwen} token{own} --person bj.clerk --branch beijing --role clerk"
        print(
            "  curl -sS " + state.services["intake"] + "/api/cases -H 'Content-Type: application/json' \\\n"
            f'    -H "Authorization: Bearer $({token})" -H "Idempotency-Key: first-$(date +%s)" \\\n'
            '    -d \'{"type": "complaint", "channel": "phone", "branch": "beijing", "subject": "工资条有误",'
            ' "description": "十月工资少发，三天没有人回电。",'
            ' "requester": {"name": "张三", "phone": "13800000000", "relation": "dispatched_employee"}}\''
        )
    elif state.services and state.evaluation:
        name, url = next(iter(state.services.items()))
        token = f"{shouwen} token{own} --person evaluation.operator --role operator --role group_auditor"
        print(f'  curl -sS {url}/api/streams -H "Authorization: Bearer $({token})"   what {name} hears, and how far')
    print("Ctrl-C stops everything.", flush=True)


def _own_name() -> str:
    """How this command is called from the current folder."""
    program = Path(sys.executable).with_name("shouwen")
    found = shutil.which("shouwen")
    if found and Path(found).resolve() == program.resolve():
        return "shouwen"
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)


def _names(values: Sequence[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _postgres_dsn(text: str) -> str:
    if urlsplit(text).scheme not in {"postgresql", "postgres"}:
        raise argparse.ArgumentTypeError("give a DSN, as postgresql://admin:password@db.example:5432/postgres")
    return text


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= 24 * 31:
        raise argparse.ArgumentTypeError("give hours from above 0 to 744")
    return hours


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", metavar="DIR", help=f"folder of the suite (default: $SHOUWEN_HOME or ./{DEFAULT})")
    parser = argparse.ArgumentParser(
        prog="shouwen", description="The whole suite, or a part of it, on one machine, with real Kafka and PostgreSQL."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=about, description=about)
        sub.set_defaults(run=run)
        return sub

    up = command("up", _up, "Start everything, print where it is, and stop it on Ctrl-C.")
    up.add_argument("--only", metavar="NAMES", help="services to start, separated by commas; '' starts none")
    up.add_argument("--kafka", metavar="HOST:PORT", help="use this broker instead of an own one")
    up.add_argument("--postgres", metavar="DSN", type=_postgres_dsn, help="use this database server, as administrator")
    up.add_argument("--no-traces", action="store_true", help="leave Zipkin out")
    up.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address of the services (needs OIDC)")
    up.add_argument(
        "--port-base",
        type=int,
        metavar="N",
        help="move all ports: N+1 intake, +2 sla, +3 notify, +4 review, +5 mail, +6 Zipkin, +7 and +8 Kafka "
        "(default 8101 to 8105, 9411, 9092, 9093)",
    )

    command("status", _status, "Show what runs and where; exit code 1 when a service is not ready.")
    command("down", _down, "Stop the suite that another terminal started.")

    token = command("token", _token, "Print a bearer token for evaluation, good on loopback only.")
    token.add_argument("--person", required=True, help="person id, as bj.clerk")
    token.add_argument("--name", help="what colleagues call the person (default: the id)")
    token.add_argument(
        "--branch", action="append", default=[], help="branch code, as beijing; may stand more than once"
    )
    token.add_argument(
        "--role", action="append", default=[], help="role, as clerk or manager; may stand more than once"
    )
    token.add_argument("--hours", type=_hours, default=tokens.HOURS, help=f"good for (default {tokens.HOURS:.0f})")

    command("demo", _demo, "Play a realistic day of three branches and print what happened.")

    load = command("load", _load, "Register and work a bounded number of matters.")
    load.add_argument("--matters", type=int, default=100, help="how many (default 100)")
    load.add_argument("--rate", type=float, help="matters per second (default: as fast as they are answered)")
    load.add_argument("--ledger", metavar="FILE", help="write what was acknowledged, for reconcile")

    reconcile = command("reconcile", _reconcile, "Check from the services' own APIs that nothing was lost or doubled.")
    reconcile.add_argument("--ledger", metavar="FILE", help="what `shouwen load` wrote")
    reconcile.add_argument("--wait", type=float, default=60.0, metavar="SECONDS", help="for the services to rest first")

    sla = command("sla", _sla, "What sla offers: `sla explain …`, `sla calendar load FILE` (--help for each).")
    sla.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…")

    dead = commands.add_parser("dead", help="List, show or replay what a service set aside.")
    actions = dead.add_subparsers(dest="action", metavar="list|show|replay", required=True)
    about = {"list": "one line each", "show": "all about one", "replay": "hand back to the service"}
    for action, text in about.items():
        sub = actions.add_parser(action, parents=[common], help=text)
        sub.set_defaults(run=_dead)
        sub.add_argument("--service", action="append", help="only of this service; may stand more than once")
        if action == "show":
            sub.add_argument("letter", metavar="SERVICE/ID")
        if action == "replay":
            sub.add_argument("letters", metavar="SERVICE/ID", nargs="*")
            sub.add_argument("--all", action="store_true", help="every dead letter")
    return parser


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
