"""Which target of which pack binds a branch, and when: versions follow one another, and higher packs refine lower ones.

Three layers: the group's baseline, the packs that the directory composes for the branch, and the branch's own packs. A
target of a higher layer takes the place of the target of the same policy and name below it, from the instant on at
which it takes effect. A clock runs under what was in force when it started, unless a version says that running clocks
move to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from shouwen.sla.domain.instant import day_start
from shouwen.sla.domain.pack import Pack, Target

BASELINE = "group-baseline"
EVER_SINCE = -(10**18)
FOR_EVER = 10**18
"""Beyond any instant that an event may tell, in microseconds."""

Key = tuple[str, str]
"""Policy and target."""


@dataclass(frozen=True)
class PackVersion:
    """One version of a pack, and how it came here.

    ``published_at`` (microseconds) is None for a version that ships with the service. ``branch`` is the branch that it
    belongs to; None for packs of the group, which branches compose through the directory.
    """

    pack: Pack
    published_at: int | None = None
    branch: str | None = None

    @property
    def layer(self) -> int:
        """0: the baseline; 1: a pack that branches compose; 2: a branch's own."""
        if self.pack.name == BASELINE:
            return 0
        return 1 if self.branch is None else 2

    def starts_at(self, zone: ZoneInfo) -> int:
        """The first instant of the day from which it is in force."""
        return day_start(self.pack.effective_from, zone)


@dataclass(frozen=True)
class Bound:
    """A target and the periods (from, before) in which clocks have to start to run under it.

    ``takes_over_at``: it also governs clocks that started before and were still open then. ``removed_at``: clocks that
    are still open then end, because a version that moves running clocks no longer has this target.
    """

    target: Target
    periods: tuple[tuple[int, int], ...]
    takes_over_at: int | None = None
    removed_at: int | None = None

    def governs(self, started_at: int, ended_at: int | None) -> bool:
        """Whether a clock with this start and end runs under it."""
        if any(since <= started_at < before for since, before in self.periods):
            return True
        takes_over_at = self.takes_over_at
        return (
            takes_over_at is not None and started_at < takes_over_at and (ended_at is None or ended_at >= takes_over_at)
        )


def bind(versions: Iterable[PackVersion], zone: ZoneInfo) -> list[Bound]:
    """The targets of these packs with the periods in which each one binds, in the order of the packs."""
    ordered = sorted(versions, key=lambda each: (each.layer, each.pack.name, each.pack.version))
    found: list[tuple[int, Bound]] = []
    for layer in (0, 1, 2):
        below = [bound for _, bound in found]
        for name in dict.fromkeys(each.pack.name for each in ordered if each.layer == layer):
            chain = [each for each in ordered if each.pack.name == name]
            found += [(layer, bound) for bound in _chained(chain, below, zone)]
    found.sort(key=lambda each: (each[1].target.pack, each[1].target.version))
    return [_uncovered(layer, bound, found) for layer, bound in found]


def _chained(chain: Sequence[PackVersion], below: Sequence[Bound], zone: ZoneInfo) -> Iterable[Bound]:
    """The versions of one pack: each target from its own version's effect until the next version's."""
    lower = {bound.target.key for bound in below}
    for place, version in enumerate(chain):
        earlier = {target.key for each in chain[:place] for target in each.pack.targets}
        following = chain[place + 1] if place + 1 < len(chain) else None
        for target in version.pack.targets:
            since = _since(version, zone, is_first=place == 0, follows=target.key in earlier | lower)
            before, removed_at = FOR_EVER, None
            if following is not None:
                before = _since(following, zone, is_first=False, follows=True)
                is_kept = any(other.key == target.key for other in following.pack.targets)
                removed_at = before if following.pack.running == "move" and not is_kept else None
            takes_over = version.pack.running == "move" and target.key in earlier
            refined = target
            if version.published_at is not None and target.key in lower:
                refined = refine(target, {each.key: each for each in in_force(below, since)}.get(target.key))
            yield Bound(refined, ((since, before),), since if takes_over else None, removed_at)


def refine(target: Target, lower: Target | None) -> Target:
    """A target that takes from the one it refines what its own pack does not say.

    What is counted in the unit of the limit is only taken where the unit is the same.
    """
    if lower is None:
        return target
    given, is_same_unit = target.given, (target.unit, target.is_agreed) == (lower.unit, lower.is_agreed)
    changes: dict[str, object] = {
        name: getattr(lower, name) for name in ("pause", "resume", "cancel", "reopen") if not getattr(target, name)
    }
    if "warn_at" not in given:
        changes["warnings"] = tuple(
            each
            for each in lower.warnings
            if each.percent is not None or (is_same_unit and each.before is not None and each.before < target.limit)
        )
    if "escalate" not in given:
        changes["escalations"] = lower.escalations
    if "reopen_mode" not in given:
        changes["reopen_mode"] = lower.reopen_mode
    is_statutory = target.statutory or ("statutory" not in given and lower.statutory)
    changes["statutory"] = is_statutory
    if is_statutory:
        changes |= {"pausable": frozenset(), "caps": (), "extension": None}
    else:
        if "pausable" not in given:
            changes |= {"pausable": lower.pausable, "caps": lower.caps}
        if "extension" not in given:
            changes["extension"] = lower.extension if is_same_unit and not target.is_agreed else None
    return replace(target, **_typed(changes))


def _typed(changes: Mapping[str, object]) -> Mapping[str, Any]:
    return changes


def _since(version: PackVersion, zone: ZoneInfo, *, is_first: bool, follows: bool) -> int:
    if version.published_at is None:
        return EVER_SINCE if is_first else version.starts_at(zone)
    # What was promised otherwise until now changes at the publication at the earliest, never backwards; a promise that
    # nothing stood for before begins on the day that the pack names.
    return max(version.starts_at(zone), version.published_at) if follows else version.starts_at(zone)


def _uncovered(layer: int, bound: Bound, all_bounds: Iterable[tuple[int, Bound]]) -> Bound:
    """A bound without the periods in which a higher layer has a target of its key."""
    periods = bound.periods
    for higher, other in all_bounds:
        if higher > layer and other.target.key == bound.target.key:
            for period in other.periods:
                periods = tuple(part for each in periods for part in _without(each, period))
    return Bound(bound.target, periods, bound.takes_over_at, bound.removed_at) if periods != bound.periods else bound


def _without(period: tuple[int, int], hidden: tuple[int, int]) -> Iterable[tuple[int, int]]:
    since, before = period
    parts = (since, min(before, hidden[0])), (max(since, hidden[1]), before)
    return (part for part in parts if part[0] < part[1])


def in_force(bounds: Iterable[Bound], at: int) -> list[Target]:
    """The targets that a clock would run under which starts at an instant."""
    return [bound.target for bound in bounds if any(since <= at < before for since, before in bound.periods)]
