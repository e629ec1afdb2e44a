"""What else lies with a case, and forbids that it is answered or ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shouwen.intake.domain.case import Case
from shouwen.runtime.errors import Invalid, Refused


class PartsOpen(Refused):
    """Parts of the case are open, so it cannot end."""

    def __init__(self, case: "Case", parts: Sequence[str]) -> None:
        super().__init__(
            f"Case {case.number} cannot end while its parts are open: {', '.join(parts)}.",
            field="parts",
            remedy="Bring each part to its end first; what a part no longer has to do is withdrawn (003 §7(一)).",
        )


class PartsUnanswered(Refused):
    """Parts of the case owe their answer, so there is no consolidated one yet."""

    def __init__(self, case: "Case", parts: Sequence[str]) -> None:
        super().__init__(
            f"Case {case.number} gets one answer out of those of its parts; these are missing: {', '.join(parts)}.",
            field="parts",
            remedy="Have each part answered first, or withdraw it (003 §7(一)).",
        )


class InvestigationOpen(Refused):
    """The case is being investigated, and no ruling was approved yet."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"Case {case.number} is being investigated, and no ruling was approved yet.",
            field="investigation",
            remedy=f"Have the finding approved first: POST /api/cases/{case.number}/investigation/ruling.",
        )


class InvestigationMissing(Refused):
    """Nobody investigated a major complaint."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is a major complaint, and nobody was appointed to investigate it (002 七(四)3).",
            field="investigation",
            remedy=f"Appoint an investigator first: POST /api/cases/{case.number}/investigation.",
        )


class NotExplained(Refused):
    """It was found that we did not cause it, and the client was not told so."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"Case {case.number} was not caused by us: the client is owed an explanation and help (000 §18).",
            field="explanation",
            remedy=f"Record both first: POST /api/cases/{case.number}/investigation/explanation.",
        )


class NotDecided(Refused):
    """A reply to the suggestion was promised, and nobody decided about it."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"A reply to suggestion {case.number} was promised: whether it is adopted must be decided (002 七(四)2).",
            field="decision",
            remedy=f"Have it decided first: POST /api/cases/{case.number}/decision.",
        )


class NotApproved(Refused):
    """The reply commits to something outside the contract that was not approved."""

    def __init__(self, case: "Case", evaluation: "EvaluationState") -> None:
        state = {
            "none": "was not evaluated",
            "undecided": "is being evaluated",
            "refused": "was refused",
            "approved": "was approved",
        }[evaluation]
        super().__init__(
            f"The reply to case {case.number} commits to something outside the contract that {state} (000 §17).",
            field="commits",
            remedy=f"Have it approved first: POST /api/cases/{case.number}/evaluations; or promise nothing.",
        )


class CommitmentUnsaid(Invalid):
    """What is asked for outside the contract is not approved, and the reply does not say whether it promises it."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"Case {case.number} asks for something outside the contract that is not approved (000 §17).",
            field="commits",
            remedy="Say whether the reply promises it: false if not. A promise needs the approval first.",
        )


class EvaluationOpen(Refused):
    """What the requester asks for outside the contract is not decided yet."""

    def __init__(self, case: "Case") -> None:
        super().__init__(
            f"What case {case.number} asks for outside the contract is not decided yet (000 §17).",
            field="evaluation",
            remedy=f"Have it decided first: GET /api/cases/{case.number}/evaluations shows it.",
        )


class StillToFollow(Refused):
    """Corrective actions or follow-ups are open, so the case cannot be closed."""

    def __init__(self, case: "Case", actions: int, follow_ups: int) -> None:
        super().__init__(
            f"Case {case.number} has {actions} open corrective actions and {follow_ups} open follow-ups.",
            field="actions" if actions else "follow_ups",
            remedy=f"Record them as done first: GET /api/cases/{case.number}/investigations and …/remedies list them.",
        )


EvaluationState = Literal["none", "undecided", "refused", "approved"]


@dataclass(frozen=True, slots=True)
class Dossier:
    """What else lies with a case and decides whether it may be answered or end; the default is: nothing.

    Each thing that stands against a command is one field here and one refusal in the method of that command.
    """

    open_parts: Sequence[str] = ()
    unanswered_parts: Sequence[str] = ()
    is_under_investigation: bool = False
    is_investigated: bool = False
    """Whether a ruling was approved, in this run or an earlier one."""
    is_unexplained: bool = False
    """Found not to be caused by us, without explanation and help (000 §18)."""
    is_decided: bool = False
    """Of a suggestion: whether it is adopted (002 七(四)2)."""
    evaluation: EvaluationState = "none"
    """Of what is asked outside the contract, the latest (000 §17)."""
    open_actions: int = 0
    open_follow_ups: int = 0

    def require_answerable(self, case: Case) -> None:
        """Raise what must be done before the requester is answered."""
        if self.unanswered_parts:
            raise PartsUnanswered(case, self.unanswered_parts)

    def require_endable(self, case: Case) -> None:
        """Raise what must be done before the case is resolved or closed."""
        if self.open_parts:
            raise PartsOpen(case, self.open_parts)
        if self.is_under_investigation:
            raise InvestigationOpen(case)
        if _owes_investigation(case) and not self.is_investigated:
            raise InvestigationMissing(case)
        if self.is_unexplained:
            raise NotExplained(case)
        if self.evaluation == "undecided":
            raise EvaluationOpen(case)
        if case.type == "suggestion" and case.promised_at is not None and not self.is_decided:
            raise NotDecided(case)

    def require_approval(self, case: Case, *, commits: bool | None) -> None:
        """Raise when a reply promises what was not approved, or does not say whether it does."""
        if commits and self.evaluation != "approved":
            raise NotApproved(case, self.evaluation)
        if commits is None and self.evaluation in {"undecided", "refused"}:
            raise CommitmentUnsaid(case)

    def require_nothing_to_follow(self, case: Case) -> None:
        """Raise what is still to be done after the end of the case."""
        if self.open_actions or self.open_follow_ups:
            raise StillToFollow(case, self.open_actions, self.open_follow_ups)


NOTHING_ELSE = Dossier()


def _owes_investigation(case: Case) -> bool:
    # An ordinary complaint is looked into by its owner; a part is looked into with its whole; what two persons found
    # to be untrue has their finding.
    return case.severity == "major" and case.parent_id is None and case.found_malicious_at is None
