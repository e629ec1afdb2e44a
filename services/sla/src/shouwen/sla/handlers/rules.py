"""The rules in force: what ships, and what was published since, loaded anew when their revision has changed."""

import json
from collections.abc import Sequence
from datetime import datetime

from shouwen.runtime.errors import ShouwenError, Transient
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork
from shouwen.sla.domain.announcement import AnnouncementDocument
from shouwen.sla.domain.calendar import Schedule
from shouwen.sla.domain.composition import PackVersion
from shouwen.sla.domain.event_type import EventType, event_types_for_packs
from shouwen.sla.domain.holidays_cn import PublicHolidays
from shouwen.sla.domain.instant import micros
from shouwen.sla.domain.pack import Pack
from shouwen.sla.domain.pack_file import EventTypes, read_pack
from shouwen.sla.domain.policies import Policies
from shouwen.sla.domain.schedule_file import read_schedule
from shouwen.sla.store import calendars, event_types, packs, revision


class UnreadableRules(Transient):
    """A rule that was published before cannot be read by this release."""


class Rules:
    """The rules in force, kept until their revision in the database changes. One for each process.

    Args:
        shipped: the packs of this distribution.
        work: opens the transactions that load.
    """

    def __init__(self, shipped: Sequence[Pack], work: UnitOfWork) -> None:
        self._shipped = tuple(shipped)
        self._work = work
        self._policies = Policies(shipped, revision=-1)
        self._read: dict[tuple[str, int], Pack] = {}

    async def held(self, tx: Transaction) -> Policies:
        """The rules in force; nobody changes them until this transaction of the event path ends.

        Raises:
            UnreadableRules: a published rule cannot be read by this release.
        """
        return await self._at(await revision.hold_revision(tx), tx)

    async def current(self) -> Policies:
        """The rules in force at this moment.

        Raises:
            UnreadableRules: a published rule cannot be read by this release.
        """
        # Not in the person's transaction, which sees the rules of their own branches alone.
        async with self._work.as_worker() as tx:
            return await self._at(await revision.get_revision(tx), tx)

    async def _at(self, number: int, tx: Transaction) -> Policies:
        if self._policies.revision != number:
            self._policies = await self._load(number, tx)
        return self._policies

    async def as_of(self, at: datetime) -> Policies:
        """The rules that were in force at an instant, for what was decided by them.

        Raises:
            UnreadableRules: a published rule cannot be read by this release.
        """
        async with self._work.as_worker() as tx:
            return await self._load(await revision.get_revision(tx), tx, at)

    async def _load(self, number: int, tx: Transaction, at: datetime | None = None) -> Policies:
        types = [EventType.model_validate(row["document"]) for row in await event_types.event_types(tx)]
        known = {each.event_type: each for each in types}
        fields = event_types_for_packs(known)
        announced = [
            AnnouncementDocument.model_validate(row["document"]).announced()
            for row in await calendars.announcements(tx, 0, _ALL, at)
        ]
        try:
            published = [
                PackVersion(
                    self._pack(row["pack"], row["version"], row["document"], fields),
                    micros(row["published_at"]),
                    row["branch"],
                )
                for row in await packs.published_packs(tx)
                if at is None or row["published_at"] <= at
            ]
            schedules: dict[str, Schedule] = {
                branch: read_schedule(json.dumps(document), file=branch)
                for branch, document in (await calendars.schedules(tx, at)).items()
            }
        except ShouwenError as error:
            raise UnreadableRules(
                f"A published rule cannot be read by this release: {error}", remedy="Run the release that wrote it."
            ) from error
        return Policies(
            [*self._shipped, *published],
            schedules=schedules,
            public=PublicHolidays(tuple(announced)),
            event_types=known,
            revision=number,
        )

    def _pack(self, name: str, version: int, document: str, fields: EventTypes) -> Pack:
        pack = self._read.get((name, version))
        if pack is None:
            pack = self._read[name, version] = read_pack(document, file=f"{name} {version}", event_types=fields)
        return pack


_ALL = 10_000
