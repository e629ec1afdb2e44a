"""Events of other systems over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from shouwen.contracts.catalogue import BY_STREAM, UnknownType, parse, parse_structured
from shouwen.contracts.event import BadEvent, CloudEvent, Event
from shouwen.contracts.group import GroupFact
from shouwen.intake.handlers import group_events
from shouwen.intake.handlers.shared import SYSTEM
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import Invalid
from shouwen.runtime.unit_of_work import UnitOfWork

_PHONE_FORM = r"^\+?[0-9][0-9 ()\-]{2,28}(?:[xX#,转][0-9]{1,8})?$"

STRUCTURED = "application/cloudevents+json"
GROUP_STREAM = "group.v1"


class EventAccepted(BaseModel):
    """An event of another system that will be on ``group.v1``, unchanged."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    stream: Literal["group.v1"] = GROUP_STREAM


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""
    group_types = sorted(event.event_type for event in BY_STREAM[GROUP_STREAM].events)

    @router.post(
        "/events",
        status_code=202,
        tags=["events of other systems"],
        responses={
            200: {"model": EventAccepted, "description": "The same event came before; it is on the bus once"},
            409: {"description": "The source and id belong to another event"},
            413: {"description": "The body is over the limit"},
        },
        openapi_extra={"requestBody": _event_body(group_types)},
    )
    async def accept_event(request: Request, caller: Caller, response: Response) -> EventAccepted:
        """Publish a fact of another group system without a Kafka client (X-07).

        A CloudEvent 1.0, structured (`application/cloudevents+json`) or binary (`ce-*` headers with a JSON body).
        The role `system` is needed, and the fact's branch must be one of the caller's. Events of a type that was
        registered with sla at run time go onto `group.v1` of Kafka instead: sla alone can check them.
        """
        caller.require_role(SYSTEM)
        event = _group_event(request.headers.raw, await request.body())
        async with work.as_person(caller) as tx:
            is_new = await group_events.accept_group_event(
                tx, event, content_hash=protection.fingerprint(_content(event))
            )
        if not is_new:
            response.status_code = 200
        return EventAccepted(id=event.id, source=event.source, type=event.type, subject=event.subject, time=event.time)


def _group_event(raw_headers: list[tuple[bytes, bytes]], body: bytes) -> CloudEvent[GroupFact]:
    """Read a CloudEvent of another system in either HTTP mode.

    Raises:
        Invalid: it cannot be read, or is no event of ``group.v1``; names the field as the sender wrote it.
    """
    content_type = dict(raw_headers).get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    structured = content_type == STRUCTURED
    if not structured and content_type != "application/json":
        raise Invalid(
            "The body is in a form this address does not take.",
            field="Content-Type",
            remedy=f"Send {STRUCTURED}, or application/json with the attributes as ce-* headers.",
        )
    try:
        event = parse_structured(body) if structured else parse(_binary_headers(raw_headers), body)
    except UnknownType as error:
        raise Invalid(
            f"{error.problem[:1].upper()}{error.problem[1:]}.",
            field=_sent_name(error.field, structured=structured),
            remedy=f"Correct it; docs/events.md lists the types. Events of a type that was registered with sla go onto "
            f"{GROUP_STREAM} of Kafka: docs/integrating.md shows how.",
        ) from None
    except BadEvent as error:
        raise Invalid(
            f"{error.problem[:1].upper()}{error.problem[1:]}.",
            field=_sent_name(error.field, structured=structured),
            remedy=f"{error.remedy}.",
        ) from None
    if not isinstance(event.data, GroupFact):
        raise Invalid(
            "Events of this type come from the suite itself.",
            field=_sent_name("ce_type", structured=structured),
            remedy=f"Send one of the types of {GROUP_STREAM}; docs/events.md lists them.",
        )
    return _as_group(event, event.data)


def _as_group(event: CloudEvent[Event], fact: GroupFact) -> CloudEvent[GroupFact]:
    return CloudEvent(
        id=event.id,
        type=event.type,
        source=event.source,
        subject=event.subject,
        time=event.time,
        data=fact,
        traceparent=event.traceparent,
    )


def _binary_headers(raw_headers: list[tuple[bytes, bytes]]) -> list[tuple[str, bytes]]:
    """The ``ce-*`` headers under the names of the Kafka binding; HTTP percent-encodes what is not ASCII."""
    named = [(name.decode("latin-1").lower(), value) for name, value in raw_headers]
    return [
        ("traceparent" if name == "ce-traceparent" else f"ce_{name[3:]}", unquote_to_bytes(value))
        for name, value in named
        if name.startswith("ce-")
    ]


def _sent_name(field: str, *, structured: bool) -> str:
    """A field of the Kafka binding, as the sender wrote it: ``ce_id`` is ``id`` or ``ce-id``."""
    if field.startswith("ce_"):
        return field[3:] if structured else f"ce-{field[3:]}"
    return f"data.{field}" if structured and field != "body" else field


def _content(event: CloudEvent[GroupFact]) -> str:
    return f"{event.type}\n{event.subject}\n{event.time.isoformat()}\n{event.data.model_dump_json()}"


def _event_body(types: list[str]) -> Mapping[str, Any]:
    attributes = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 200},
        "source": {"type": "string", "minLength": 1, "maxLength": 200},
        "type": {"type": "string", "enum": types},
        "subject": {"type": "string", "description": "Your name for the matter, as injury/2026-0012"},
        "time": {"type": "string", "format": "date-time"},
        "data": {"type": "object", "description": "As schemas/TYPE.json describes it"},
    }
    structured = {"type": "object", "required": list(attributes), "properties": attributes}
    return {
        "required": True,
        "content": {
            STRUCTURED: {"schema": structured},
            "application/json": {"schema": {"type": "object", "description": "The data alone; attributes as ce-*"}},
        },
    }
