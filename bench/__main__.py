"""Measure all sections, or the named ones; print them and write RESULTS.md and results.json."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence

from bench import hop, latency, memory, raw, register, report, search, startup, tickets, timers
from bench.report import Section


def main(arguments: Sequence[str]) -> None:
    """Read the arguments and measure."""
    options = _options(arguments)
    command = " ".join(["uv run python -m bench", *arguments])
    traces: bool = not options.no_traces
    sections: dict[str, list[Callable[[], Section]]] = {
        "startup": [lambda: startup.measure(rounds=options.rounds, cold_rounds=options.cold_rounds, command=command)],
        "memory": [lambda: memory.measure(matters=options.matters, command=command)],
        "register": [
            lambda: asyncio.run(
                register.measure(
                    rounds=options.rounds,
                    concurrency=options.concurrency,
                    matters=options.matters,
                    traces=traces,
                    command=command,
                )
            )
        ],
        "tickets": [
            lambda: asyncio.run(
                tickets.measure(
                    rounds=options.rounds, concurrency=options.concurrency, tickets=options.tickets, command=command
                )
            )
        ],
        "latency": [
            lambda rate=rate: asyncio.run(
                latency.measure(
                    rounds=options.rounds, per_second=rate, seconds=options.seconds, traces=traces, command=command
                )
            )
            for rate in options.rate
        ],
        "hop": [
            lambda: asyncio.run(
                hop.measure(rounds=options.rounds, events=options.events, single=options.single, command=command)
            )
        ],
        "timers": [
            lambda: asyncio.run(
                timers.measure(
                    rounds=options.rounds,
                    sizes=options.armed,
                    due=options.due,
                    replicas=options.replicas,
                    peer_seconds=options.peer_seconds,
                    peers=not options.no_peers,
                    command=command,
                    shared_buffers=options.shared_buffers,
                )
            )
        ],
        "search": [lambda: asyncio.run(search.measure(cases=options.cases, command=command))],
        "raw": [
            lambda: asyncio.run(
                raw.measure(
                    rounds=options.rounds,
                    concurrency=options.concurrency,
                    per_second=max(options.rate),
                    command=command,
                )
            )
        ],
    }
    if unknown := set(options.sections) - set(sections):
        sys.exit(f"bench: {', '.join(sorted(unknown))} cannot be measured; there are {', '.join(sections)}")
    for measure in (measure for name in options.sections or sections for measure in sections[name]):
        section = measure()
        report.show(section)
        if not options.dry:
            report.save(section)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        help="startup, memory, register, tickets, latency, hop, timers, search, raw; all unless named",
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement (3)")
    parser.add_argument("--cold-rounds", type=int, default=1, help="starts from nothing, which download all (1)")
    parser.add_argument("--concurrency", type=int, default=16, help="registrations under way at once (16)")
    parser.add_argument("--matters", type=int, default=600, help="matters in a burst (600)")
    parser.add_argument("--tickets", type=int, default=150, help="tickets in a burst of the other register (150)")
    parser.add_argument(
        "--rate", type=float, nargs="+", default=[5.0, 20.0], help="matters per second of the steady load (5 20)"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a round of steady load (30)")
    parser.add_argument("--cases", type=int, default=1_000_000, help="cases in the register that is searched (1000000)")
    parser.add_argument("--events", type=int, default=10_000, help="events that wait for the hop (10000)")
    parser.add_argument("--single", type=int, default=500, help="events taken one per transaction (500)")
    parser.add_argument(
        "--armed",
        type=int,
        nargs="+",
        default=[10_000, 100_000, 1_000_000],
        help="clocks armed, step by step (… 1000000)",
    )
    parser.add_argument("--due", type=int, default=50_000, help="clocks due in the same second (50000)")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4], help="replicas that fire (1 2 4)")
    parser.add_argument("--peer-seconds", type=float, default=20.0, help="time of the other timer engines a round (20)")
    parser.add_argument("--shared-buffers", help="of PostgreSQL for the timers, as 1GB (the launcher's 64MB)")
    parser.add_argument("--no-peers", action="store_true", help="timers without the other engines")
    parser.add_argument("--no-traces", action="store_true", help="register and latency without Zipkin")
    parser.add_argument("--dry", action="store_true", help="print only, write no result files")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
