"""What was heard about each subject."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import to_json

from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime import queries, telemetry
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.fact import Fact

QUERIES = queries.load("shouwen.sla", "sql/facts.sql")

Subject = tuple[str, str]
"""Branch and subject: two publishers may use one name in different branches."""

_LEFT_OUT = frozenset({"client", "sealed"})
"""Fields of events that clocks never need: what only another service can open is not kept a second time."""


@dataclass(frozen=True, slots=True)
class HeardFact:
    """A fact and the subject it is about."""

    subject: Subject
    source: str
    event_id: str
    fact: Fact

    @classmethod
    def of(cls, event: CloudEvent[Event]) -> "HeardFact":
        """The fact that an event tells. One that came without a trace begins one, so that its clocks have a trace."""
        data = event.data.model_dump(mode="json", exclude=set(_LEFT_OUT))
        traceparent = event.traceparent or telemetry.child_traceparent(None)
        fact = Fact(f"{event.source} {event.id}", event.type, event.time, data, traceparent)
        return cls((event.data.branch, event.subject), event.source, event.id, fact)


async def lock_subjects(tx: Transaction, counts: Mapping[Subject, int]) -> dict[Subject, datetime | None]:
    """Lock these subjects, creating those that are new.

    The answer are those about which something was known before, with the instant at which they change by themselves.
    """
    branches, subjects = [key[0] for key in counts], [key[1] for key in counts]
    rows = await tx.fetch(QUERIES.lock_subjects, branches, subjects, list(counts.values()))
    known = (((row["branch"], row["subject"]), row) for row in rows)
    return {subject: row["wake_at"] for subject, row in known if row["facts"] > counts[subject]}


async def claim_woken(tx: Transaction, limit: int) -> list[Subject]:
    """Up to so many subjects whose clocks change by the passing of time, held until the transaction ends."""
    return [(row["branch"], row["subject"]) for row in await tx.fetch(QUERIES.claim_woken, limit)]


async def set_wakes(tx: Transaction, wakes: Mapping[Subject, datetime | None]) -> None:
    """Keep when these subjects change by themselves."""
    branches, subjects = [key[0] for key in wakes], [key[1] for key in wakes]
    await tx.execute(QUERIES.set_wakes, branches, subjects, list(wakes.values()))


async def add_facts(tx: Transaction, heard: Sequence[HeardFact]) -> None:
    """Keep facts as they came."""
    await tx.execute(
        QUERIES.add_facts,
        [each.subject[0] for each in heard],
        [each.subject[1] for each in heard],
        [each.source for each in heard],
        [each.event_id for each in heard],
        [each.fact.type for each in heard],
        [each.fact.time for each in heard],
        [to_json(each.fact.data).decode() for each in heard],
        [each.fact.traceparent for each in heard],
    )


async def facts_of(tx: Transaction, subjects: Iterable[Subject]) -> dict[Subject, list[Fact]]:
    """Everything heard about these subjects."""
    wanted = list(subjects)
    rows = await tx.fetch(QUERIES.facts_of, [key[0] for key in wanted], [key[1] for key in wanted])
    facts: dict[Subject, list[Fact]] = {key: [] for key in wanted}
    for row in rows:
        fact = Fact(
            f"{row['source']} {row['event_id']}", row["event_type"], row["event_time"], row["data"], row["traceparent"]
        )
        facts[row["branch"], row["subject"]].append(fact)
    return facts
