"""Why a deadline is when it is: segments from the start to the deadline whose counted time adds up to the limit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from shouwen.sla.domain.allowance import Pause
from shouwen.sla.domain.calendar import SliceKind, Timetable
from shouwen.sla.domain.clock import Clock

SegmentKind = Literal["elapsed", "start_day", "pause"] | SliceKind


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of one kind. ``counted`` is the part of the limit it used up: all of its length, or nothing."""

    kind: SegmentKind
    starts: int
    ends: int | None
    counted: int
    reason: str | None = None
    by: str | None = None


def explain(clock: Clock, timetable: Timetable) -> list[Segment]:
    """The segments of a clock, adjacent and in order, from its start to its deadline.

    What is counted adds up to the limit, to the microsecond. While the clock is paused the last segment is the open
    pause, and what is missing is what is left.
    """
    ends = clock.due_at if clock.deadline_stands else clock.pauses[-1].starts
    counts_from = min(max(clock.allowance.counts_from, clock.started_at), ends)
    spans: list[Segment] = []
    if clock.started_at < counts_from:
        spans.append(Segment("start_day", clock.started_at, counts_from, 0))
    spans.extend(_spans(clock, timetable, counts_from, ends))
    segments = list(_merged(_paused(spans, clock.pauses)))
    if not clock.deadline_stands:
        open_pause = clock.pauses[-1]
        segments.append(Segment("pause", open_pause.starts, None, 0, open_pause.reason, open_pause.by))
    return segments


def remaining(clock: Clock, segments: Iterable[Segment]) -> int:
    """What is left of the limit when a paused clock resumes; 0 when the segments reach the deadline."""
    return clock.allowance.amount - sum(segment.counted for segment in segments)


def _spans(clock: Clock, timetable: Timetable, starts: int, ends: int) -> Iterator[Segment]:
    if not clock.target.unit.startswith("working") or clock.target.is_agreed:
        if starts < ends:
            yield Segment("elapsed", starts, ends, ends - starts)
        return
    for part in timetable.slices(starts, ends):
        yield Segment(part.kind, part.starts, part.ends, part.ends - part.starts if part.counts else 0, part.name)


def _paused(spans: Iterable[Segment], pauses: Iterable[Pause]) -> Iterator[Segment]:
    for span in spans:
        at = span.starts
        assert span.ends is not None
        for pause in pauses:
            until = span.ends if pause.ends is None else pause.ends
            starts, ends = max(pause.starts, at), min(until, span.ends)
            if starts >= ends:
                continue
            yield from _part(span, at, starts)
            yield Segment("pause", starts, ends, 0, pause.reason, pause.by)
            at = ends
        yield from _part(span, at, span.ends)


def _part(span: Segment, starts: int, ends: int) -> Iterator[Segment]:
    if starts < ends:
        yield replace(span, starts=starts, ends=ends, counted=ends - starts if span.counted else 0)


def _merged(segments: Iterable[Segment]) -> Iterator[Segment]:
    last: Segment | None = None
    for segment in segments:
        if last is not None and (last.kind, last.reason, last.by) == (segment.kind, segment.reason, segment.by):
            last = replace(last, ends=segment.ends, counted=last.counted + segment.counted)
            continue
        if last is not None:
            yield last
        last = segment
    if last is not None:
        yield last
