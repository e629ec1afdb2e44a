"""The public web form: a signed invitation that must not be older than a day nor younger than a person can write."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from shouwen.contracts.case import Relation
from shouwen.runtime.errors import Invalid, NotFound

OPEN_FOR = timedelta(hours=24)

FormType = Literal["inquiry", "suggestion", "complaint", "report"]
"""What the public may hand in. A service request is not among them: its refusal would tell who is on a list."""

TYPE_TEXTS: Mapping[FormType, str] = {"inquiry": "咨询", "suggestion": "建议", "complaint": "投诉", "report": "举报"}
RELATION_TEXTS: Mapping[Relation, str] = {
    "client_company": "客户单位",
    "dispatched_employee": "派遣员工",
    "agency_employee": "代理员工",
    "prospective_client": "潜在客户",
    "other": "其他",
}

_TOKEN = re.compile(r"(?P<issued>[0-9]{1,12})\.(?P<nonce>[0-9a-f]{32})\.(?P<signature>[0-9a-f]{64})")

Sign = Callable[[str], str]
"""Signs a text with the service's key."""


class NoSuchForm(NotFound):
    """There is no form of this branch."""


class NotAccepted(Invalid):
    """The form was not filled in by a person."""

    def __init__(self) -> None:
        super().__init__(field="website", remedy="Leave the hidden field empty; call us if this goes on.")


@dataclass(frozen=True, slots=True)
class Invitation:
    """The permission to send one form; its nonce makes the sending happen once."""

    branch: str
    issued_at: datetime
    nonce: str

    def token(self, sign: Sign) -> str:
        """The invitation as the form carries it."""
        stated = f"{int(self.issued_at.timestamp())}.{self.nonce}"
        return f"{stated}.{sign(_signed(self.branch, stated))}"


def read_token(token: str, *, branch: str, sign: Sign, least: timedelta, now: datetime) -> Invitation:
    """The invitation of a form that comes back.

    Raises:
        Invalid: it was not issued here for this branch, is too old, or comes back faster than a person writes.
    """
    found = _TOKEN.fullmatch(token)
    # Equal texts of this length tell nothing by their timing: the signature is a keyed hash, compared once.
    if found is None or sign(_signed(branch, f"{found['issued']}.{found['nonce']}")) != found["signature"]:
        raise Invalid("The form was not issued here.", field="token", remedy="Load the form again.")
    issued_at = datetime.fromtimestamp(int(found["issued"]), UTC)
    if now - issued_at > OPEN_FOR:
        raise Invalid("The form is too old.", field="token", remedy="Load the form again, and send it within a day.")
    if now - issued_at < least:
        raise Invalid(
            "The form came back too fast.",
            field="token",
            remedy=f"Send it again in {int(least.total_seconds()) + 1} seconds.",
        )
    return Invitation(branch, issued_at, found["nonce"])


def _signed(branch: str, stated: str) -> str:
    return f"web form\n{branch}\n{stated}"
