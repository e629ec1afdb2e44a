"""From POST to clock armed and to message delivered, at a steady load."""

import asyncio
import os

from bench import raw_hop
from bench.chain import EFFECTS, Delays, delays
from bench.figures import Rounds, p50_p99_ms, paired_ratio
from bench.register import warm_up
from bench.report import Section, Table, circumstances
from bench.suites import running
from bench.tap import tapping
from shouwen.embedded.access import Access
from shouwen.embedded.load import Load, run

RAW_SECONDS = 15.0
RAW_RECORDS = 20_000
CONCURRENCY = 32
LATE_SHARE = 0.2
IDLE_SECONDS = 8.0
ROWS = {"answered": "POST → answered 201"} | {name: f"POST → {what}" for name, what in EFFECTS.items()}


async def measure(*, rounds: int, per_second: float, seconds: float, traces: bool, command: str) -> Section:
    """The raw hop at the same rate, then the suite, in turn."""
    at = circumstances()
    hops: list[list[float]] = []
    rates: list[float] = []
    measured: list[dict[str, list[float]]] = []
    missing: list[dict[str, int]] = []
    achieved: list[float] = []
    with running(traces=traces) as (_, access):
        await warm_up(access)
        for number in range(rounds):
            rates.append(await raw_hop.rate(access.kafka_bootstrap, RAW_RECORDS))
            hops.append(await raw_hop.latencies(access.kafka_bootstrap, per_second=per_second, seconds=RAW_SECONDS))
            load, found = await _steady(access, per_second, seconds, seed=2000 + number)
            missing.append(found.missing)
            measured.append({"answered": load.latencies, **found.seconds})
            achieved.append(load.matters / load.seconds)
    return Section(
        name=f"latency_{per_second:03.0f}{'' if traces else '_untraced'}",
        title=f"From POST to effect at {per_second:g} matters per second{'' if traces else ', without traces'}",
        command=command,
        tables=[_table(hops, measured, per_second)],
        notes=[
            f"{rounds} rounds of {seconds:g} s, each after {RAW_SECONDS:g} s of the raw hop at the same rate; "
            f"{LATE_SHARE:.0%} of the matters were received 26 hours ago. "
            f"Reached rate: {Rounds.of(achieved).text(1)} /s.",
            "“Seen” is when a consumer outside the suite has the event in hand; the raw hop ends in the same way.",
            f"Raw hop with {RAW_RECORDS:,} records waiting, same runs: {Rounds.of(rates).text()} records/s.",
            "Effects never seen: "
            + ", ".join(f"{sum(one[kind] for one in missing)} {kind}" for kind in missing[0])
            + f", of {sum(len(one['answered']) for one in measured)} matters.",
        ],
        figures={
            "raw_hop_ms_p50_p99": [p50_p99_ms(hop) for hop in hops],
            "raw_hop_records_per_second": rates,
            "ms_p50_p99": {name: [p50_p99_ms(one[name]) for one in measured if one[name]] for name in ROWS},
            "counts": {name: [len(one[name]) for one in measured] for name in ROWS},
            "missing": missing,
            "achieved_per_second": achieved,
        },
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


async def _steady(access: Access, per_second: float, seconds: float, seed: int) -> tuple[Load, Delays]:
    load = Load(
        matters=int(per_second * seconds),
        concurrency=CONCURRENCY,
        seed=seed,
        late_share=LATE_SHARE,
        worked_share=0,
        rate=per_second,
    )
    async with tapping(access.kafka_bootstrap, access.stream_prefix) as tap:
        ending = asyncio.Event()
        following = asyncio.create_task(tap.follow(ending, idle_seconds=IDLE_SECONDS))
        await run(access, load)
        ending.set()
        await following
    return load, delays(load.intents, tap.seen)


def _table(hops: list[list[float]], measured: list[dict[str, list[float]]], per_second: float) -> Table:
    raw = [p50_p99_ms(hop) for hop in hops]
    rows = [[f"raw hop at {per_second:g}/s", *(Rounds.of([pair[i] for pair in raw]).text(1) for i in (0, 1)), "1", "1"]]
    for name, what in ROWS.items():
        if not all(one[name] for one in measured):
            rows.append([what, "not seen", "not seen", "–", "–"])
            continue
        pairs = [p50_p99_ms(one[name]) for one in measured]
        rows.append(
            [
                what,
                *(Rounds.of([pair[i] for pair in pairs]).text(1) for i in (0, 1)),
                *(paired_ratio([p[i] for p in pairs], [r[i] for r in raw]).text(1) for i in (0, 1)),
            ]
        )
    return Table(["", "p50 ms", "p99 ms", "p50 of raw", "p99 of raw"], rows)
