"""Matters registered per second through the REST API, as fast as they are answered."""

import os
from dataclasses import asdict, dataclass, field

from bench import raw_commit
from bench.chain import delays
from bench.figures import Rounds, p50_p99_ms, paired_ratio
from bench.processes import between, cpu_seconds, cpu_table
from bench.report import Section, Table, circumstances
from bench.suites import running
from bench.tap import tapping
from shouwen.embedded.access import Access
from shouwen.embedded.home import Home
from shouwen.embedded.load import Load, run

COMMIT_SECONDS = 4.0
WARM_UP_MATTERS = 100
WARM_UP_SEED = 999


@dataclass(slots=True)
class _Figures:
    raw_commits_per_second: list[float] = field(default_factory=list[float])
    raw_commit_ms: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    registered_per_second: list[float] = field(default_factory=list[float])
    answer_ms: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    through_per_second: list[float] = field(default_factory=list[float])
    repeated_requests: list[int] = field(default_factory=list[int])
    cpu_ms_per_matter: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    missing: list[dict[str, int]] = field(default_factory=list[dict[str, int]])


async def warm_up(access: Access) -> None:
    """A few matters, so that pools are filled and code is loaded before the first round."""
    await run(access, Load(matters=WARM_UP_MATTERS, seed=WARM_UP_SEED, late_share=0, worked_share=0))


async def measure(*, rounds: int, concurrency: int, matters: int, traces: bool, command: str) -> Section:
    """Raw commits, then a burst of matters and the wait for their effects, in turn."""
    at = circumstances()
    figures = _Figures()
    with running(traces=traces) as (suite, access):
        async with raw_commit.database(suite.admin_dsn()) as dsn:
            await warm_up(access)
            for number in range(rounds):
                raw = await raw_commit.commits(dsn, connections=concurrency, seconds=COMMIT_SECONDS)
                figures.raw_commits_per_second.append(raw.per_second)
                figures.raw_commit_ms.append(p50_p99_ms(raw.seconds_each))
                await _burst(access, suite.home, figures, matters, concurrency, seed=1000 + number)
    return Section(
        name="register" if traces else "register_untraced",
        title=f"Registering through the REST API, {concurrency} at once{'' if traces else ', without traces'}",
        command=command,
        tables=[_table(figures, concurrency), cpu_table({"CPU ms per matter": figures.cpu_ms_per_matter}, 1)],
        notes=_notes(figures, rounds, matters),
        figures=asdict(figures),
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


async def _burst(access: Access, home: Home, figures: _Figures, matters: int, concurrency: int, seed: int) -> None:
    load = Load(matters=matters, concurrency=concurrency, seed=seed, late_share=0, worked_share=0)
    async with tapping(access.kafka_bootstrap, access.stream_prefix) as tap:
        before = cpu_seconds(home)
        await run(access, load)
        generator = cpu_seconds(home)["generator"]
        # Read only now: an observer would compete for the two cores while the matters are registered.
        await tap.read_rest()
        used = between(before, cpu_seconds(home) | {"generator": generator})
    figures.cpu_ms_per_matter.append({name: seconds * 1000 / matters for name, seconds in used.items()})
    figures.registered_per_second.append(matters / load.seconds)
    figures.answer_ms.append(p50_p99_ms(load.latencies))
    begun = min(intent["posted_at"] for intent in load.intents)
    figures.through_per_second.append(matters / (max(one.handed_at for one in tap.seen) - begun))
    figures.repeated_requests.append(load.repeated)
    figures.missing.append(delays(load.intents, tap.seen).missing)


def _table(figures: _Figures, concurrency: int) -> Table:
    def line(what: str, per_second: list[float], ms: list[tuple[float, float]]) -> list[str]:
        times = [Rounds.of([pair[i] for pair in ms]).text(1) for i in (0, 1)] if ms else ["–", "–"]
        ratio = (
            "1"
            if per_second is figures.raw_commits_per_second
            else paired_ratio(per_second, figures.raw_commits_per_second).text(3)
        )
        return [what, f"{Rounds.of(per_second).text()}", *times, ratio]

    return Table(
        ["", "per second", "p50 ms", "p99 ms", "of raw"],
        [
            line(
                f"raw: single-row commits, {concurrency} connections",
                figures.raw_commits_per_second,
                figures.raw_commit_ms,
            ),
            line("matters answered with 201", figures.registered_per_second, figures.answer_ms),
            line("matters whose every clock and message is on the bus", figures.through_per_second, []),
        ],
    )


def _notes(figures: _Figures, rounds: int, matters: int) -> list[str]:
    return [
        f"{rounds} rounds of {matters} matters, each after a round of raw commits on the same server. "
        "The generator of the load shares the cores with everything it measures.",
        f"Repeated requests: {sum(figures.repeated_requests)}. Effects never seen: "
        + ", ".join(f"{sum(one[kind] for one in figures.missing)} {kind}" for kind in figures.missing[0])
        + ".",
    ]
