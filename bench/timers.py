"""Clocks that fall due together while many more are armed; two other engines beside them."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field

from bench import arming
from bench.figures import Rounds, paired_ratio, quantile
from bench.firing import work_of
from bench.report import Section, Table, circumstances
from bench.servers import Servers, bare_servers
from bench.timer_engine import Bench, Burst, bench, burst, cost, race
from bench.timer_peers import ENGINES, database

MOST_BESIDE_PEERS = 1_000_000
"""Clocks armed when replicas and other engines take turns; with more, only the growth is measured."""
GROWTH_DUE = 5_000
PEER_DUE = 20_000
"""More than the slower of the other engines comes to in its time."""
GROWTH_BATCHES = 5


@dataclass(frozen=True, slots=True)
class Turns:
    """What replicas and other engines came to, turn by turn, beside each other."""

    bursts: Mapping[int, list[Burst]]
    alone: list[float] = field(default_factory=list[float])
    """Fired per second by one ticker with nothing sent."""
    peers: Mapping[str, list[Burst]] = field(default_factory=dict[str, list[Burst]])


async def measure(
    *,
    rounds: int,
    sizes: Sequence[int],
    due: int,
    replicas: Sequence[int],
    peer_seconds: float,
    peers: bool,
    command: str,
    shared_buffers: str | None,
) -> Section:
    """Growth, from few clocks to many; with a million (or the most below it), replicas and other engines in turn."""
    at = circumstances()
    armed = max((size for size in sizes if size <= MOST_BESIDE_PEERS), default=min(sizes))
    with bare_servers({"shared_buffers": shared_buffers} if shared_buffers else {}) as servers:
        async with bench(servers) as one:
            armed_per_second, heard_per_second = await arming.rates(work_of(one.settings()), rounds)
            await one.owner.execute("TRUNCATE outbox, inbox, fact, subject, clock, timer")
            growth = await _grow(one, 0, [size for size in sorted(sizes) if size <= armed], rounds)
            turns = await _take_turns(one, servers, armed, rounds, due, replicas, peer_seconds if peers else None)
            raced = await race(one, min(due, 20_000))
            growth |= await _grow(one, armed, [size for size in sorted(sizes) if size > armed], rounds)
    return Section(
        name=f"timers_{shared_buffers}" if shared_buffers else "timers",
        title=f"Timers: {armed:,} clocks armed, {due:,} due in the same second"
        + (f", PostgreSQL with shared_buffers={shared_buffers}" if shared_buffers else ""),
        command=command,
        tables=[
            _bursts_table(turns.bursts),
            *([_peers_table(turns)] if peers else []),
            Table(
                ["clocks armed", "fired per second, one ticker, to commit", "of the smallest"],
                [
                    [
                        f"{size:,}",
                        Rounds.of(rates).text(),
                        paired_ratio(rates, growth[min(growth)]).text(2),
                    ]
                    for size, rates in growth.items()
                ],
            ),
            Table(
                ["arming", "clocks per second"],
                [
                    ["saved: `save_clocks` in transactions of 3,000, two at once", Rounds.of(armed_per_second).text()],
                    [
                        "heard: facts kept, evaluated, decided, saved, told, in transactions of 500 facts",
                        Rounds.of(heard_per_second).text(),
                    ],
                ],
            ),
            Table(
                ["race of stops and firings", "clocks"],
                [
                    ["due while being stopped", f"{raced.clocks:,}"],
                    ["fired by a ticker", f"{raced.fired_by_ticker:,}"],
                    ["breach told by the one who heard the stop", f"{raced.told_by_stop:,}"],
                    ["fired after their stop", f"{raced.after_stop:,}"],
                    ["lost", f"{raced.lost:,}"],
                    ["fired twice", f"{raced.repeated:,}"],
                ],
            ),
        ],
        notes=_notes(rounds, sizes, peer_seconds, peers=peers),
        figures={
            "armed": armed,
            "due": due,
            "growth_fired_per_second": growth,
            "bursts": {count: [_figures(each) for each in some] for count, some in turns.bursts.items()},
            "alone_per_second": turns.alone,
            **{name: [_figures(each) for each in some] for name, some in turns.peers.items()},
            "saved_per_second": armed_per_second,
            "heard_per_second": heard_per_second,
            "race": asdict(raced),
        },
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


async def _grow(one: Bench, armed: int, sizes: Sequence[int], rounds: int) -> dict[int, list[float]]:
    """Firings per second, to commit, by clocks armed."""
    growth: dict[int, list[float]] = {}
    for size in sizes:
        await one.arm_future(size - armed)
        armed = size
        await cost(one, GROWTH_DUE)  # warms what only this size touches
        growth[size] = [await cost(one, GROWTH_DUE) for _ in range(max(rounds, GROWTH_BATCHES))]
        print(f"{size:,} armed: {Rounds.of(growth[size]).text()} fired per second", flush=True)
    return growth


async def _take_turns(
    one: Bench,
    servers: Servers,
    armed: int,
    rounds: int,
    due: int,
    replicas: Sequence[int],
    peer_seconds: float | None,
) -> Turns:
    """Let replicas and other engines take turns; ``peer_seconds`` is the time of the others, None leaves them out."""
    beside = () if peer_seconds is None else ENGINES
    turns = Turns({count: [] for count in replicas}, peers={engine.name: [] for engine in beside})
    async with AsyncExitStack() as stack:
        dsns = [await stack.enter_async_context(database(servers, f"peer_{engine.name}")) for engine in beside]
        for engine, dsn in zip(beside, dsns, strict=True):
            await engine.prepare(dsn, armed)
        for number in range(rounds):
            for count in replicas:
                turns.bursts[count].append(await burst(one, due, replicas=count))
            turns.alone.append(await cost(one, min(due, PEER_DUE)))
            for engine, dsn in zip(beside, dsns, strict=True):
                turns.peers[engine.name].append(await engine.burst(dsn, min(due, PEER_DUE), peer_seconds or 0))
            latest = {
                name: round(some[-1].per_second, 1) for name, some in (*turns.bursts.items(), *turns.peers.items())
            }
            print(f"round {number + 1}: {latest}, nothing sent {round(turns.alone[-1])}", flush=True)
    return turns


def _bursts_table(bursts: Mapping[int, Sequence[Burst]]) -> Table:
    def seconds(some: Sequence[Sequence[float]], share: float) -> str:
        return Rounds.of([quantile(each, share) for each in some]).text(2)

    return Table(
        [
            "replicas",
            "fired per second",
            "late p50 s, to commit",
            "late p99 s, to commit",
            "readable per second",
            "late p50 s, readable on Kafka",
            "late p99 s, readable on Kafka",
        ],
        [
            [
                str(count),
                Rounds.of([each.per_second for each in some]).text(),
                seconds([each.committed for each in some], 0.5),
                seconds([each.committed for each in some], 0.99),
                Rounds.of([each.readable_per_second for each in some]).text(),
                seconds([each.readable for each in some], 0.5),
                seconds([each.readable for each in some], 0.99),
            ]
            for count, some in bursts.items()
        ],
    )


def _peers_table(turns: Turns) -> Table:
    sent = [each.per_second for each in next(iter(turns.bursts.values()))]
    rows = [
        ["shouwen-sla, one replica: fired and sent", Rounds.of(sent).text(), "1", "–"],
        ["shouwen-sla, one ticker: fired, nothing sent", Rounds.of(turns.alone).text(), "–", "1"],
    ]
    for engine in ENGINES:
        if engine.name not in turns.peers:
            continue
        rates = [each.per_second for each in turns.peers[engine.name]]
        ratios = [
            paired_ratio(ours, rates).text(1) if all(rates) else "it ran none in a round"
            for ours in (sent, turns.alone)
        ]
        rows.append([engine.label, Rounds.of(rates).text(1), *ratios])
    return Table(["engine", "fired per second", "ours over it, sent", "ours over it, nothing sent"], rows)


def _notes(rounds: int, sizes: Sequence[int], peer_seconds: float, *, peers: bool) -> list[str]:
    notes = [
        f"{rounds} rounds; in each the replicas and the other engines take turns on one PostgreSQL with all clocks "
        "armed. A replica is a process with the service's ticker and relay.",
        "Late to commit: when the process that fired knew of the commit. Readable: when a consumer outside had it.",
        f"Growth: batches of 1,000 by one ticker, {GROWTH_DUE:,} due, nothing sent.",
    ]
    if peers:
        notes.append(
            f"The other engines run an empty task for each of up to {PEER_DUE:,} jobs due at once, with as many jobs "
            f"waiting for later as clocks are armed, and have {peer_seconds:g} s "
            "time; who does not finish is counted with what ran until then. Ours writes an event per firing and sends "
            f"it to Kafka; in the row with nothing sent it stays in the outbox ({PEER_DUE:,} due).",
        )
    if max(sizes) < 10_000_000:
        notes.append("10,000,000 clocks armed were not measured in this run (`--armed` sets the sizes).")
    return notes


def _figures(one: Burst) -> dict[str, float]:
    figures = {"fired": one.due, "fired_per_second": one.per_second}
    for name, late in (("committed", one.committed), ("readable", one.readable)):
        if late:
            figures |= {f"{name}_p50_s": quantile(late, 0.5), f"{name}_p99_s": quantile(late, 0.99)}
    return figures
