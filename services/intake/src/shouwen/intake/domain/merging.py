"""Cases that turn out to be one matter, or near to each other; no history is lost (I-19)."""

from dataclasses import replace
from datetime import datetime

from shouwen.contracts.case import CaseLinked, CaseMerged
from shouwen.intake.domain.case import Actor, Case, MergedAway
from shouwen.intake.domain.dossier import NOTHING_ELSE, Dossier, InvestigationOpen
from shouwen.runtime.errors import Invalid, Refused


class SameCase(Invalid):
    """This is the same case."""

    def __init__(self, field: str) -> None:
        super().__init__(field=field, remedy="Give the number of the other case.")


class OtherBranch(Refused):
    """The cases are of different branches."""

    def __init__(self, case: Case, other: Case, field: str) -> None:
        super().__init__(
            f"Case {case.number} is of branch {case.branch}, and {other.number} of {other.branch}.",
            field=field,
            remedy="Each branch answers for its own matters; register it there, and withdraw it here.",
        )


class SurvivorEnded(Refused):
    """The case that is to go on for both has ended."""

    def __init__(self, survivor: Case) -> None:
        super().__init__(
            f"Case {survivor.number} is {survivor.state}: no matter can go on there.",
            field="into",
            remedy=f"Take it up again first: POST /api/cases/{survivor.number}/reopen; or link the cases instead.",
        )


class PartOrWhole(Refused):
    """The case belongs to others: it is a part, or has parts."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is {'a part of another' if case.parent_id else 'split into parts'}.",
            field="number",
            remedy="Merge the other case into it, or link the two.",
        )


class AlreadyLinked(Refused):
    """The cases are linked already."""

    def __init__(self, case: Case, other: Case) -> None:
        super().__init__(
            f"Cases {case.number} and {other.number} are linked already.",
            field="other",
            remedy="Nothing more is needed.",
        )


def merge(
    case: Case, survivor: Case, *, actor: Actor, now: datetime, dossier: Dossier = NOTHING_ELSE
) -> tuple[Case, CaseMerged]:
    """End the case in favour of another, which goes on for both.

    A merged case can neither be merged again nor take another in, so no circle can come about.

    Raises:
        SameCase, OtherBranch, PartOrWhole, SurvivorEnded, InvestigationOpen: what stands against it.
        MergedAway: one of them was merged before; the text says where its matter goes on.
        NotInThisState, NotYours: the case has ended, or is another person's.
    """
    if survivor.id == case.id:
        raise SameCase("into")
    state = case.after("merge")
    actor.require_say(case, "merge")
    if survivor.branch != case.branch:
        raise OtherBranch(case, survivor, "into")
    if case.parent_id is not None or case.parts:
        raise PartOrWhole(case)
    if survivor.state == "merged":
        raise MergedAway(survivor)
    if not survivor.is_open:
        raise SurvivorEnded(survivor)
    if dossier.is_under_investigation:
        raise InvestigationOpen(case)
    changed = replace(
        case, state=state, ended_at=now, pause=None, merged_into=survivor.id, merged_into_number=survivor.number
    )
    fact = CaseMerged(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        merged_at=now,
        into_id=survivor.id,
        into_number=survivor.number,
        merged_by=actor.person,
    )
    return changed, fact


def link(case: Case, other: Case, *, are_linked: bool, actor: Actor, now: datetime) -> tuple[CaseLinked, CaseLinked]:
    """Note that two cases are near to each other; both go on by themselves. One fact for each of them.

    Raises:
        SameCase, OtherBranch, AlreadyLinked: what stands against it.
    """
    if other.id == case.id:
        raise SameCase("other")
    if other.branch != case.branch:
        raise OtherBranch(case, other, "other")
    if are_linked:
        raise AlreadyLinked(case, other)
    return _linked(case, other, actor, now), _linked(other, case, actor, now)


def _linked(case: Case, other: Case, actor: Actor, now: datetime) -> CaseLinked:
    return CaseLinked(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        linked_at=now,
        other_id=other.id,
        other_number=other.number,
        linked_by=actor.person,
    )
