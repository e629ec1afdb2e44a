"""Packs are published: checked, compared with what they refine, and in force for every replica from then on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import asyncpg

from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import FieldProblem, Forbidden, Invalid, NotFound, Refused
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.calendar import Timetable
from shouwen.sla.domain.composition import BASELINE, PackVersion, bind, in_force
from shouwen.sla.domain.event_type import event_types_for_packs
from shouwen.sla.domain.instant import micros, moment
from shouwen.sla.domain.pack import Pack, Target
from shouwen.sla.domain.pack_file import read_pack
from shouwen.sla.domain.policies import Branch, Policies
from shouwen.sla.domain.strictness import Loosening, loosenings
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.store import branches, facts, packs, recalculations, revision
from shouwen.sla.store.facts import Subject

SUBJECTS_AT_ONCE = 1000
"""Subjects that one page of a dry run looks at, at most."""


class PackNameTaken(Refused):
    """Another pack has this name."""


class LooserThanRequired(Refused):
    """The pack promises less than it has to."""

    def __init__(self, found: Sequence[tuple[Target, Target, Loosening]], timetable: Timetable) -> None:
        self._found = tuple(found)
        self._timetable = timetable
        _, required, _ = self._found[0]
        super().__init__(
            f"The pack promises less than {required.pack} does by {required.clause_text}; it may promise more only.",
            remedy="Correct the fields named; what a target does not say it takes from the one it refines.",
        )

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """Each way in which it is looser, with the clause it violates and a case that shows it."""
        return tuple(
            FieldProblem(
                f"policies.{own.policy}.targets.{own.name}.{each.field}",
                f"{each.problem}. {self._case(each)}",
                f"{required.clause_text} of {required.pack} demands {_demanded(required)}: promise at least that.",
            )
            for own, required, each in self._found
        )

    @property
    def members(self) -> Mapping[str, str]:
        """The clause, and the first case: its start, the deadline it would have, the one it has to have."""
        told = {"clause": self._found[0][1].clause_text}
        case = next((each.case for _, _, each in self._found if each.case is not None), None)
        if case is None:
            return told
        return {
            **told,
            "starts_at": self._local(case.starts_at),
            "due_at": self._local(case.candidate_at),
            "required_due_at": self._local(case.required_at),
        }

    def _case(self, found: Loosening) -> str:
        case = found.case
        if case is None:
            return ""
        paused = f", paused {len(case.pauses)} times," if case.pauses else ""
        return (
            f"A matter that starts {self._local(case.starts_at)}{paused} would come to it "
            f"{self._local(case.candidate_at)}, and has to by {self._local(case.required_at)}."
        )

    def _local(self, at: int | None) -> str:
        return "never" if at is None else moment(at).astimezone(self._timetable.zone).isoformat()


def _demanded(target: Target) -> str:
    return "the agreed time" if target.is_agreed else f"{target.limit} {target.unit}"


@dataclass(frozen=True, slots=True)
class Published:
    """A version that is published. ``recalculations`` are under way if running clocks move to it."""

    pack: Pack
    branch: str | None
    published_at: datetime
    recalculations: tuple[int, ...] = ()


async def publish(tx: Transaction, text: str, rules: Rules, *, branch: str | None, caller: Principal) -> Published:
    """Publish a version of a pack, of the group or of one branch.

    Raises:
        Forbidden: the person's roles do not allow it.
        NotFound: there is no such branch.
        BadPack: the pack is not valid; every mistake is told.
        Invalid: its version or day does not follow the one before.
        PackNameTaken: the name belongs to another pack.
        LooserThanRequired: it promises less than what it refines.
    """
    _require(caller, branch)
    # From here on nobody else changes a rule, so what is loaded now is what the new version is added to.
    number = await revision.raise_revision(tx)
    policies = await rules.current()
    pack = read_pack(text, event_types=event_types_for_packs(policies.event_types))
    if branch is not None:
        await _branch(tx, branch)
    standing = await packs.get_pack(tx, pack.name, pack.version)
    if standing is not None and (standing["document"], standing["branch"]) == (text, branch):
        return Published(pack, branch, standing["published_at"])
    _check_succession(pack, branch, policies)
    bound = await branches.all_branches(tx)
    version = PackVersion(pack, micros(tx.now), branch)
    concerned = [each for each in bound if _concerns(version, each)]
    check_strictness(version, policies, concerned)
    published_at = await packs.add_pack(
        tx,
        pack.name,
        pack.version,
        branch=branch,
        effective_from=pack.effective_from,
        document=text,
        revision=number,
        person=caller.person,
    )
    asked: list[int] = []
    if pack.running == "move":
        for each in concerned:
            takes_effect = max(moment(version.starts_at(policies.timetable(each).zone)), tx.now)
            asked.append(await recalculations.add_recalculation(tx, "pack", each.code, takes_effect))
    return Published(pack, branch, published_at, tuple(asked))


def _require(caller: Principal, branch: str | None) -> None:
    if branch is None:
        if "group_admin" not in caller.roles:
            raise Forbidden(
                "A pack of the group is published with the role group_admin.",
                field="branch",
                remedy="Name the branch whose own pack it is, or ask the group.",
            )
        return
    caller.require_role("general_manager", "group_admin")
    caller.require_branch(branch)


async def _branch(tx: Transaction, code: str) -> Branch:
    found = (await branches.get_branches(tx, [code])).get(code)
    if found is None:
        raise NotFound(f"There is no branch {code} that you may see.", remedy="See GET /api/calendars.")
    return found


def _concerns(version: PackVersion, branch: Branch) -> bool:
    if version.branch is not None:
        return version.branch == branch.code
    return version.pack.name == BASELINE or version.pack.name in branch.packs


def _check_succession(pack: Pack, branch: str | None, policies: Policies) -> None:
    earlier = [each for each in policies.versions if each.pack.name == pack.name]
    if not earlier:
        return
    if earlier[0].branch != branch:
        raise PackNameTaken(
            f"The name {pack.name} belongs to another pack.", field="pack", remedy="Give the pack a name of its own."
        )
    last = max((each.pack for each in earlier), key=lambda each: each.version)
    if pack.version <= last.version:
        raise Invalid(
            f"version {last.version} is the last one.", field="version", remedy=f"Publish version {last.version + 1}."
        )
    if pack.effective_from < last.effective_from:
        raise Invalid(
            f"is before the day of version {last.version}, {last.effective_from}.",
            field="effective_from",
            remedy="Give that day or a later one.",
        )


def check_strictness(version: PackVersion, policies: Policies, concerned: Iterable[Branch]) -> None:
    """Refuse a version that is looser than what it refines, or a baseline that leaves a published pack too loose.

    Raises:
        LooserThanRequired: with every clause that is violated, and a case.
    """
    seen: set[object] = set()
    for branch in [*concerned] or [Branch("", _ANY_ZONE, ())]:
        timetable = policies.timetable(branch)
        others = [each for each in policies.binding(branch) if each.pack.name != version.pack.name]
        # Branches with the same hours and packs need no second look, which takes a while.
        place = (id(timetable), *((each.pack.name, each.pack.version) for each in others))
        if place in seen:
            continue
        seen.add(place)
        found = list(_looser(version, others, timetable))
        if found:
            raise LooserThanRequired(found, timetable)


_ANY_ZONE = "Asia/Shanghai"


def _looser(
    version: PackVersion, others: Sequence[PackVersion], timetable: Timetable
) -> Iterable[tuple[Target, Target, Loosening]]:
    zone = timetable.zone
    at = max(version.starts_at(zone), version.published_at or 0)
    composed = bind([*others, version], zone)
    own = [each.target for each in composed if each.target.pack == version.pack.name]
    lower = in_force(bind([each for each in others if each.layer < version.layer], zone), at)
    for target in own:
        if target.version != version.pack.version:
            continue
        for required in lower:
            if required.key == target.key:
                yield from ((target, required, each) for each in loosenings(target, required, timetable))
    # Those that refine this one and were published: they have to keep what it demands now.
    higher = [each for each in others if each.layer > version.layer and each.published_at is not None]
    refining = {(each.pack.name, each.pack.version) for each in higher}
    for target in in_force(composed, at):
        if (target.pack, target.version) in refining:
            for required in version.pack.targets:
                if required.key == target.key:
                    yield from ((target, required, each) for each in loosenings(target, required, timetable))


# --- dry run --------------------------------------------------------------------------------------------------------

Effect = Literal["breaches", "moves", "ends", "begins"]


@dataclass(frozen=True, slots=True)
class Affected:
    """An open clock that the change would touch."""

    effect: Effect
    branch: str
    subject: str
    policy: str
    target: str
    cycle: int
    clock_id: UUID | None
    due_at: datetime | None
    new_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a change would do to the open clocks of some subjects; ``last`` is the last one that was looked at."""

    pack: Pack
    looked_at: int
    affected: Sequence[Affected]
    last: Subject | None


async def dry_run(
    tx: Transaction, text: str, policies: Policies, *, branch: str | None, caller: Principal, after: Subject, limit: int
) -> DryRun:
    """What the open clocks would be if this version had governed them from their start. Nothing is changed.

    Raises:
        Forbidden, NotFound, BadPack, PackNameTaken: as for ``publish``.
        LooserThanRequired: it promises less than what it refines.
    """
    _require(caller, branch)
    pack = read_pack(text, event_types=event_types_for_packs(policies.event_types))
    if branch is not None:
        await _branch(tx, branch)
    _check_succession(pack, branch, policies)
    known = {each.code: each for each in await branches.all_branches(tx)}
    version = PackVersion(pack, micros(tx.now), branch)
    concerned = [each for each in known.values() if _concerns(version, each)]
    check_strictness(version, policies, concerned)
    supposed = _supposed(version, policies)
    wanted = recalculations.Recalculation(0, branch, after)
    subjects = await recalculations.open_subjects(tx, wanted, SUBJECTS_AT_ONCE)
    told = await facts.facts_of(tx, subjects)
    kept = await recalculations.open_clocks(tx, subjects)
    affected: list[Affected] = []
    looked_at, last = 0, None
    for key in subjects:
        if len(affected) >= limit:
            break
        last = key
        looked_at += len(kept.get(key, ()))
        composing = known.get(key[0])
        if composing is None or not _concerns(version, composing):
            continue
        clocks = supposed.of(composing).evaluate(*key, told[key], tx.now)
        new = {
            (each.target.policy, each.target.name, each.cycle): each.due_at
            for each in clocks
            if each.is_open and each.target.pack == pack.name
        }
        affected += _affected(key, kept.get(key, ()), new, pack, tx.now)
    is_complete = len(subjects) < SUBJECTS_AT_ONCE and (not subjects or last == subjects[-1])
    return DryRun(pack, looked_at, affected, None if is_complete else last)


def _supposed(version: PackVersion, policies: Policies) -> Policies:
    """The rules as if this version had always been the one of its pack."""
    others = [each for each in policies.versions if each.pack.name != version.pack.name]
    always = PackVersion(replace(version.pack, effective_from=date(1970, 1, 1)), 0, version.branch)
    return Policies(
        [*others, always], schedules=policies.schedules, public=policies.public, event_types=policies.event_types
    )


def _affected(
    key: Subject,
    kept: Sequence[asyncpg.Record],
    new: Mapping[tuple[str, str, int], int],
    pack: Pack,
    now: datetime,
) -> Iterable[Affected]:
    keys = {target.key for target in pack.targets}
    seen: set[tuple[str, str, int]] = set()
    for row in kept:
        place = (row["policy"], row["target"], row["cycle"])
        is_concerned = row["pack"] == pack.name or place[:2] in keys
        if not is_concerned:
            continue
        seen.add(place)
        due_at = new.get(place)
        old = row["due_at"]
        if due_at is None:
            if row["pack"] == pack.name:
                yield Affected("ends", *key, *place, row["clock_id"], old, None)
        elif moment(due_at) != old:
            effect: Effect = "breaches" if moment(due_at) <= now < old else "moves"
            yield Affected(effect, *key, *place, row["clock_id"], old, moment(due_at))
    for place, due_at in new.items():
        if place not in seen:
            yield Affected("breaches" if moment(due_at) <= now else "begins", *key, *place, None, None, moment(due_at))
