"""What the requester sees of the progress of their matter, by number and secret code (000 §19): nobody else's data."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

from shouwen.contracts.case import CaseState, CaseType
from shouwen.intake.domain.case import Actor, Case
from shouwen.intake.domain.visibility import sees_unmasked
from shouwen.runtime.errors import Forbidden, NotFound, Refused

CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I, L, O and U, which are misread or misheard (Crockford's base 32)."""
CODE_LENGTH = 10
"""50 bits: with the limits below, guessing would take longer than anybody lives."""

STATE_TEXTS: Mapping[CaseState, str] = {
    "received": "已受理",
    "acknowledged": "已受理",
    "assigned": "已转交承办人",
    "in_progress": "办理中",
    "pending": "等待补充材料或第三方答复",
    "responded": "已答复",
    "resolved": "已办结",
    "closed": "已结案",
    "withdrawn": "已撤回",
    "merged": "已与其他事项合并办理",
}

STEP_TEXTS: Mapping[str, str] = {
    "case.registered.v1": "已登记",
    "case.acknowledged.v1": "已告知受理",
    "case.assigned.v1": "已转交承办人",
    "case.handover_accepted.v1": "承办人已接手",
    "case.plan_delivered.v1": "已送达书面方案",
    "case.replied.v1": "已答复",
    "case.resolved.v1": "已办结",
    "case.closed.v1": "已结案",
    "case.withdrawn.v1": "已撤回",
    "case.reopened.v1": "已重新办理",
}
"""Facts of a case that its requester is shown, without their details; others are the house's own business."""


class NotKnown(NotFound):
    """There is no matter of this number and code.

    The answer is one and the same whether the number or the code is wrong: it tells nobody which numbers exist.
    """

    def __init__(self) -> None:
        super().__init__(
            field="code", remedy="Check the number and the code in your message, or ask the person responsible."
        )


class TooManyAttempts(Refused):
    """There were too many attempts from this address, or for this number."""

    status: ClassVar[int] = 429
    title: ClassVar[str] = "Too many requests"

    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after_seconds = max(int(retry_after.total_seconds()) + 1, 1)
        super().__init__(remedy=f"Try again in {self.retry_after_seconds} seconds.")

    @property
    def members(self) -> Mapping[str, str]:
        """When to try again, for programs."""
        return {"retry_after_seconds": str(self.retry_after_seconds)}


class NotForYou(Forbidden):
    """Only who knows the requester has a code made for them."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"A code for case {case.number} is for {case.owner}, its registrar, or who directs the branch.",
            field="owner",
            remedy="Ask one of them.",
        )


class NobodyToTell(Refused):
    """The requester cannot be told the code."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"The requester of case {case.number} left neither e-mail address nor phone number.",
            field="requester",
            remedy="If they are with you, set in_person: then the answer holds the code, for you to hand over.",
        )


@dataclass(frozen=True, slots=True)
class PublicAccess:
    """What the public may do, and how often.

    Attributes:
        base_url: where links in messages to requesters lead.
        survey_valid_for: how long the link of a survey works.
        asks_after_end: whether a requester with an e-mail address is asked by itself when their case is resolved.
        window: the time in which attempts are counted.
        attempts_per_address: requests from one network address in a window, at most.
        attempts_per_number: requests for one case number without success in a window, at most.
        names_contact: whether the progress names the person responsible, beside the department.
    """

    base_url: str
    survey_valid_for: timedelta
    asks_after_end: bool
    window: timedelta
    attempts_per_address: int
    attempts_per_number: int
    names_contact: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done, as its requester is shown it."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What the requester is shown."""

    number: str
    type: CaseType
    state: CaseState
    state_text: str
    received_at: datetime
    registered_at: datetime
    promised_at: datetime | None
    replied_at: datetime | None
    ended_at: datetime | None
    department: str | None
    contact: str | None
    steps: Sequence[Step]


def require_code_for(case: Case, actor: Actor, *, in_person: bool, has_address: bool) -> None:
    """Raise NotForYou or NobodyToTell when no code can be made for the requester now."""
    if not sees_unmasked(case, actor):
        raise NotForYou(case)
    if not in_person and not has_address:
        raise NobodyToTell(case)


def progress(
    case: Case, facts: Iterable[tuple[datetime, str]], *, department: str | None, contact: str | None, zone: tzinfo
) -> Progress:
    """What the requester of the case is shown, by the branch's wall clock.

    ``facts`` are the times and types of the case's own facts, in order.
    """

    def local(at: datetime | None) -> datetime | None:
        return None if at is None else at.astimezone(zone)

    return Progress(
        number=case.number,
        type=case.type,
        state=case.state,
        state_text=STATE_TEXTS[case.state],
        received_at=case.received_at.astimezone(zone),
        registered_at=case.registered_at.astimezone(zone),
        promised_at=local(case.promised_at),
        replied_at=local(case.replied_at),
        ended_at=local(case.ended_at),
        department=department,
        contact=contact,
        steps=[Step(at.astimezone(zone), STEP_TEXTS[type_]) for at, type_ in facts if type_ in STEP_TEXTS],
    )


def plain_code(code: str) -> str:
    """A code as it is compared: however it was written down or typed, also with a Chinese keyboard."""
    text = unicodedata.normalize("NFKC", code).upper()
    kept = "".join(letter for letter in text if letter.isalnum())
    return kept.translate(str.maketrans({"O": "0", "I": "1", "L": "1"}))


def plain_number(number: str) -> str:
    """A case number as it is looked up."""
    return "".join(unicodedata.normalize("NFKC", number).upper().split())


def readable_code(code: str) -> str:
    """A code in two halves, to be read out: ``7K3QM-9XTPA``."""
    half = len(code) // 2
    return f"{code[:half]}-{code[half:]}"


def prefix_of(number: str) -> str:
    """What a number begins with, which says its branch."""
    return number.partition("-")[0]
