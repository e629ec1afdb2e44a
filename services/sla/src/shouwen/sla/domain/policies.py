"""One revision of the rules: the packs, the working hours and the event types, composed for each branch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from shouwen.runtime.errors import Refused
from shouwen.sla.domain.calendar import Schedule, Timetable, office_hours
from shouwen.sla.domain.composition import BASELINE, PackVersion
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.event_type import EventType
from shouwen.sla.domain.holidays_cn import PublicHolidays
from shouwen.sla.domain.pack import Pack


class UnknownPack(Refused):
    """The branch composes a pack that this service does not have."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as far as clocks need it."""

    code: str
    time_zone: str
    packs: tuple[str, ...]


_NONE: Mapping[str, Schedule] = MappingProxyType({})
_NO_TYPES: Mapping[str, EventType] = MappingProxyType({})


class Policies:
    """Every pack, and what each branch makes of them. Compositions are compiled once and kept.

    Args:
        packs: all versions; a bare pack is one that ships.
        schedules: the working hours of the branches that have their own.
        public: the public calendar.
        event_types: the event types that were registered at run time, by name.
        revision: which revision of the rules this is.
    """

    def __init__(
        self,
        packs: Iterable[Pack | PackVersion],
        *,
        schedules: Mapping[str, Schedule] = _NONE,
        public: PublicHolidays | None = None,
        event_types: Mapping[str, EventType] = _NO_TYPES,
        revision: int = 0,
    ) -> None:
        self.versions: Sequence[PackVersion] = tuple(
            each if isinstance(each, PackVersion) else PackVersion(each) for each in packs
        )
        self.schedules = schedules
        self.public = public or PublicHolidays()
        self.event_types = event_types
        self.revision = revision
        self._own = {each.branch for each in self.versions} | set(schedules)
        self._composed = lru_cache(maxsize=1000)(self._compose)
        self._office_hours = lru_cache(maxsize=100)(self._office_hours_of)
        self._timetables = {code: Timetable(schedule, self.public) for code, schedule in schedules.items()}

    @property
    def packs(self) -> Sequence[Pack]:
        """Every version of every pack, by name and version."""
        ordered = sorted(self.versions, key=lambda each: (each.pack.name, each.pack.version))
        return [each.pack for each in ordered]

    def of(self, branch: Branch) -> Composition:
        """The packs that bind a branch: the baseline, those it composes, and its own.

        Raises:
            UnknownPack: it names one that is not here.
        """
        code = branch.code if branch.code in self._own else ""
        return self._composed(code, branch.time_zone, branch.packs)

    def check(self, branch: Branch) -> None:
        """Refuse a branch that names a pack which is not here.

        Raises:
            UnknownPack: naming it.
        """
        known = {each.pack.name for each in self.versions if each.branch in {None, branch.code}}
        for name in branch.packs:
            if name not in known:
                raise UnknownPack(
                    f"Branch {branch.code} composes the pack {name}, which this service does not have.",
                    field="packs",
                    remedy=f"Use some of {', '.join(sorted(known - {BASELINE}))}, or publish the pack and replay.",
                )

    def timetable(self, branch: Branch) -> Timetable:
        """The working time of a branch: its own schedule, or office hours in its zone."""
        own = self._timetables.get(branch.code)
        return own if own is not None else self._office_hours(branch.time_zone)

    def binding(self, branch: Branch) -> list[PackVersion]:
        """Every version of the packs that bind a branch."""
        wanted = {BASELINE, *branch.packs}
        return [
            each
            for each in self.versions
            if (each.branch is None and each.pack.name in wanted)
            or (each.branch is not None and each.branch == branch.code)
        ]

    def _compose(self, code: str, time_zone: str, names: tuple[str, ...]) -> Composition:
        branch = Branch(code, time_zone, names)
        self.check(branch)
        return Composition(self.binding(branch), self.timetable(branch))

    def _office_hours_of(self, time_zone: str) -> Timetable:
        return Timetable(office_hours(time_zone), self.public)
