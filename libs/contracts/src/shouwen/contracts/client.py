"""Facts about clients and the list of dishonest clients. Stream ``client.v1``, all emitted by review."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shouwen.contracts.event import Event, Identifier, Instant, Text


class ClientRegistered(Event):
    """A client was put on file (002 六2). Emitted by review. Heard by nobody in the suite yet."""

    event_type: ClassVar[str] = "client.registered.v1"
    stream: ClassVar[str] = "client.v1"
    aggregate: ClassVar[str] = "client"

    client_id: UUID
    number: Text = Field(description="The number of the registration form")
    kind: Literal["individual", "company"]
    identifier_hash: Text
    registered_at: Instant

    @property
    def key(self) -> str:
        return str(self.client_id)


class ListFact(Event):
    """What every fact about a list entry carries."""

    stream: ClassVar[str] = "client.v1"
    aggregate: ClassVar[str] = "list-entry"

    list_entry_id: UUID
    identifier_hash: Text = Field(description="Keyed hash of the listed identifier")
    reason_code: Identifier

    @property
    def key(self) -> str:
        return str(self.list_entry_id)


class ClientBlacklisted(ListFact):
    """Two persons put a client on the list of dishonest clients (002 六5).

    Emitted by review. Heard by intake (refuses service requests, marks the client's open cases).
    """

    event_type: ClassVar[str] = "client.blacklisted.v1"

    listed_at: Instant
    proposed_by: Identifier
    confirmed_by: Identifier


class ClientDelisted(ListFact):
    """Two persons took a client off the list after an appeal. Emitted by review. Heard by intake (serves it again)."""

    event_type: ClassVar[str] = "client.delisted.v1"

    delisted_at: Instant
    proposed_by: Identifier
    confirmed_by: Identifier


class ForgeryConfirmed(Event):
    """A second person confirmed that what a client gave is forged (002 六5); a serious case goes to the judiciary.

    Emitted by review. Heard by sla (starts the clock of the judicial referral, if it is serious).
    """

    event_type: ClassVar[str] = "client.forgery_confirmed.v1"
    stream: ClassVar[str] = "client.v1"
    aggregate: ClassVar[str] = "client"

    client_id: UUID
    confirmed_at: Instant
    serious: bool = Field(description="Whether it may be a crime, which has to be reported to the judiciary")
    proposed_by: Identifier
    confirmed_by: Identifier

    @property
    def key(self) -> str:
        return str(self.client_id)


class ClientReferred(Event):
    """A forgery was reported to the judiciary (002 六5).

    Emitted by review. Heard by sla (stops the referral's clock).
    """

    event_type: ClassVar[str] = "client.referred.v1"
    stream: ClassVar[str] = "client.v1"
    aggregate: ClassVar[str] = "client"

    client_id: UUID
    referred_at: Instant
    referred_by: Identifier

    @property
    def key(self) -> str:
        return str(self.client_id)


class Hit(BaseModel):
    """A list entry that a screened name or identifier matches."""

    model_config = ConfigDict(frozen=True)

    list_entry_id: UUID
    match: Literal["identifier", "name"]
    reason_code: Identifier


class ClientScreened(Event):
    """The client of a case was held against the list; no hit means clear.

    Emitted by review for every registered case that names a client. Heard by intake (marks the case).
    """

    event_type: ClassVar[str] = "client.screened.v1"
    stream: ClassVar[str] = "client.v1"
    aggregate: ClassVar[str] = "case"

    case_id: UUID
    screened_at: Instant
    hits: tuple[Hit, ...] = ()

    @property
    def key(self) -> str:
        return str(self.case_id)


ClientEvent = ClientRegistered | ClientBlacklisted | ClientDelisted | ClientScreened | ForgeryConfirmed | ClientReferred
