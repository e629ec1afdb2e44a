"""The packs this service knows, composed for each branch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shouwen.runtime.errors import Refused
from shouwen.sla.domain.calendar import Timetable, office_hours
from shouwen.sla.domain.evaluation import BASELINE, Composition
from shouwen.sla.domain.pack import Pack


class UnknownPack(Refused):
    """The branch composes a pack that this service does not have."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as far as clocks need it."""

    code: str
    time_zone: str
    packs: tuple[str, ...]


class Policies:
    """Every pack, and what each branch makes of them. Compositions are compiled once and kept."""

    def __init__(self, packs: Iterable[Pack]) -> None:
        self.packs: Sequence[Pack] = tuple(packs)
        self._composed = lru_cache(maxsize=1000)(self._compose)
        self._timetable = lru_cache(maxsize=100)(_office_hours_of)

    def of(self, branch: Branch) -> Composition:
        """The packs that bind a branch: the baseline, and its own.

        Raises:
            UnknownPack: it names one that is not here.
        """
        return self._composed(branch.time_zone, branch.packs)

    def check(self, branch: Branch) -> None:
        """Refuse a branch that names a pack which is not here.

        Raises:
            UnknownPack: naming it.
        """
        known = {pack.name for pack in self.packs}
        for name in branch.packs:
            if name not in known:
                raise UnknownPack(
                    f"Branch {branch.code} composes the pack {name}, which this service does not have.",
                    field="packs",
                    remedy=f"Use some of {', '.join(sorted(known - {BASELINE}))}, or install the pack and replay.",
                )

    def timetable(self, time_zone: str) -> Timetable:
        """The working time of a zone."""
        return self._timetable(time_zone)

    def _compose(self, time_zone: str, names: tuple[str, ...]) -> Composition:
        self.check(Branch("", time_zone, names))
        wanted = {BASELINE, *names}
        return Composition([pack for pack in self.packs if pack.name in wanted], self.timetable(time_zone))


def _office_hours_of(time_zone: str) -> Timetable:
    return Timetable(office_hours(time_zone))
