"""Facts about messages to people. Stream ``message.v1``, all emitted by notify. They carry no text and no address."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shouwen.contracts.event import Event, Identifier, Instant, Text

DeliveryChannel = Literal["email", "inbox"]


class MessageFact(Event):
    """What every fact about a message carries."""

    stream: ClassVar[str] = "message.v1"
    aggregate: ClassVar[str] = "message"

    message_id: UUID
    about: Text = Field(description="What the message is about, as case/{id}")
    cause: Text = Field(description="The id of the event that caused the message")
    recipient: Identifier = Field(description="The person told")
    channel: DeliveryChannel
    template: Identifier

    @property
    def key(self) -> str:
        return str(self.message_id)


class MessageSent(MessageFact):
    """A message was accepted by its channel. Emitted by notify. Heard by intake (timeline)."""

    event_type: ClassVar[str] = "message.sent.v1"

    sent_at: Instant


class MessageFailed(MessageFact):
    """A message could not be delivered and went to a person to look at.

    Emitted by notify. Heard by intake (timeline).
    """

    event_type: ClassVar[str] = "message.failed.v1"

    failed_at: Instant
    reason: Text = Field(description="What the channel answered, without the address")


MessageEvent = MessageSent | MessageFailed
