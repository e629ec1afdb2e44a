"""A matter that spans departments: split by the coordinator into parts, each a case of its own (I-08; 003 §7(一))."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shouwen.contracts.case import CaseAssigned, CaseRegistered, CaseSplit, CaseType
from shouwen.intake.domain.case import Actor, Case, severity_of
from shouwen.intake.domain.numbering import part_number
from shouwen.runtime.errors import Forbidden, Invalid, Refused

COORDINATORS = ("coordinator", "general_manager")
"""Roles that split a matter and answer for the whole of it."""

MOST_PARTS = 99


class NotACoordinator(Forbidden):
    """Only the coordinator splits a matter."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is split by the coordinator of its branch (003 §7(一)).",
            field="person",
            remedy=f"Hand it over to the coordinator: POST /api/cases/{case.number}/handover without a receiver.",
        )


class PartOfAnother(Refused):
    """A part is not split again."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is a part itself.",
            field="number",
            remedy="Split the case it belongs to into one part more.",
        )


class ParentEnded(Refused):
    """A part cannot be taken up again while its whole has ended."""

    def __init__(self, part: Case, parent: Case) -> None:
        super().__init__(
            f"Case {part.number} is a part of {parent.number}, which is {parent.state}.",
            field="state",
            remedy=f"Take the whole up again first: POST /api/cases/{parent.number}/reopen.",
        )


@dataclass(frozen=True, slots=True)
class PartWanted:
    """A part as the coordinator wants it; its words rest apart."""

    case_id: UUID
    type: CaseType | None
    department: str | None
    owner: str


def split(
    case: Case, wanted: Sequence[PartWanted], *, department: str | None, actor: Actor, now: datetime
) -> tuple[Case, CaseSplit, CaseAssigned | None, list[tuple[Case, CaseRegistered]]]:
    """Split the case; the coordinator answers for the whole from now on, and each part's owner for the part.

    The clocks of a part count from now, when its department is asked; those of the whole go on from the receipt.
    ``department`` is the coordinator's own. The assignment is None when the case is theirs already.

    Raises:
        NotInThisState, NotACoordinator, PartOfAnother: what stands against it.
        Invalid: there would be too many parts.
    """
    state = case.after("split")
    if actor.roles.isdisjoint(COORDINATORS) or case.branch not in actor.branches:
        raise NotACoordinator(case)
    if case.parent_id is not None:
        raise PartOfAnother(case)
    if case.parts + len(wanted) > MOST_PARTS:
        raise Invalid(
            f"A case has {MOST_PARTS} parts at most.", field="parts", remedy="Give one part what belongs together."
        )
    is_new_owner = actor.person != case.owner
    whole = replace(
        case,
        state=state,
        parts=case.parts + len(wanted),
        owner=actor.person,
        department=department if is_new_owner else case.department,
    )
    parts = [
        _part(case, each, position=position, registrar=actor.person, now=now)
        for position, each in enumerate(wanted, start=case.parts + 1)
    ]
    fact = CaseSplit(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        split_at=now,
        parts=tuple(part.id for part, _ in parts),
        split_by=actor.person,
    )
    assigned = CaseAssigned(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        assigned_at=now,
        owner=whole.owner,
        department=whole.department,
        assigned_by=actor.person,
    )
    return whole, fact, assigned if is_new_owner else None, parts


def require_whole_open(part: Case, parent: Case) -> None:
    """Raise ParentEnded where the whole has ended."""
    if not parent.is_open:
        raise ParentEnded(part, parent)


def _part(
    case: Case, wanted: PartWanted, *, position: int, registrar: str, now: datetime
) -> tuple[Case, CaseRegistered]:
    type = wanted.type or case.type
    part = Case(
        id=wanted.case_id,
        number=part_number(case.number, position),
        branch=case.branch,
        type=type,
        severity=severity_of(type, case.severity if type == "complaint" else None),
        channel=case.channel,
        relation=case.relation,
        state="received",
        received_at=now,
        registered_at=now,
        registrar=registrar,
        owner=wanted.owner,
        department=wanted.department,
        promised_at=None,
        traceparent=case.traceparent,
        parent_id=case.id,
    )
    # The client is screened with the whole, and not again with each part.
    fact = CaseRegistered(
        branch=part.branch,
        case_id=part.id,
        number=part.number,
        case_type=part.type,
        severity=part.severity,
        channel=part.channel,
        relation=part.relation,
        received_at=part.received_at,
        registered_at=part.registered_at,
        registrar=part.registrar,
        owner=part.owner,
        department=part.department,
        promised_at=None,
        parent_id=case.id,
    )
    return part, fact
