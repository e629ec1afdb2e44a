"""The raw limits alone: what this machine's PostgreSQL and Kafka give when nothing of the suite runs."""

import os

from bench import raw_commit, raw_hop
from bench.figures import Rounds, p50_p99_ms
from bench.report import Section, Table, circumstances
from bench.servers import bare_servers

HOP_RECORDS = 20_000
COMMIT_SECONDS = 3.0
LATENCY_SECONDS = 10.0


async def measure(*, rounds: int, concurrency: int, per_second: float, command: str) -> Section:
    """Measure commits, hop rate and hop latency in turn, so many rounds."""
    at = circumstances()
    commits: list[float] = []
    commit_ms: list[tuple[float, float]] = []
    rates: list[float] = []
    hop_ms: list[tuple[float, float]] = []
    with bare_servers() as servers:
        async with raw_commit.database(servers.admin_dsn) as dsn:
            for _ in range(rounds):
                one = await raw_commit.commits(dsn, connections=concurrency, seconds=COMMIT_SECONDS)
                commits.append(one.per_second)
                commit_ms.append(p50_p99_ms(one.seconds_each))
                rates.append(await raw_hop.rate(servers.kafka_bootstrap, HOP_RECORDS))
                hop = await raw_hop.latencies(servers.kafka_bootstrap, per_second=per_second, seconds=LATENCY_SECONDS)
                hop_ms.append(p50_p99_ms(hop))
    rows = [
        [
            f"single-row commits, {concurrency} connections",
            f"{Rounds.of(commits).text()} /s",
            Rounds.of([p50 for p50, _ in commit_ms]).text(2),
            Rounds.of([p99 for _, p99 in commit_ms]).text(2),
        ],
        [f"hop, {HOP_RECORDS:,} records waiting", f"{Rounds.of(rates).text()} /s", "–", "–"],
        [
            f"hop at {per_second:g}/s",
            "–",
            Rounds.of([p50 for p50, _ in hop_ms]).text(2),
            Rounds.of([p99 for _, p99 in hop_ms]).text(2),
        ],
    ]
    return Section(
        name="raw",
        title="Raw limits alone, no services running",
        command=command,
        tables=[Table(["raw limit", "rate", "p50 ms", "p99 ms"], rows)],
        notes=[f"{rounds} rounds, the three measurements in turn."],
        figures={
            "commits_per_second": commits,
            "commit_ms_p50_p99": commit_ms,
            "hop_records_per_second": rates,
            "hop_ms_p50_p99": hop_ms,
        },
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )
