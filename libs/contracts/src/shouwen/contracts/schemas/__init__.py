"""The JSON Schema of each event type. ``TYPE.json`` beside this file is what was published; it is generated."""

import json
from importlib import resources
from typing import Any

from shouwen.contracts.event import Event, dataschema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def published(event_type: str) -> dict[str, Any]:
    """The schema of an event type as this release carries it.

    Raises:
        FileNotFoundError: the type is not known, or its schema was not generated yet.
    """
    return json.loads(resources.files(__name__).joinpath(f"{event_type}.json").read_text(encoding="utf-8"))


def derived(event: type[Event]) -> dict[str, Any]:
    """The schema that the code of an event type says; a test holds it equal to the published one."""
    schema = event.model_json_schema(mode="validation")
    return {"$schema": DIALECT, "$id": dataschema(event.event_type), **schema, "title": event.event_type}
