"""The JSON Schema of the pack language, for editors: completion, meaning of each field, mistakes while typing."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from shouwen.sla.domain.pack import PackDocument

ADDRESS = "https://json-schema.org/draft/2020-12/schema"


def pack_schema() -> dict[str, Any]:
    """The schema of a pack file, with the short forms that people write."""
    schema = PackDocument.model_json_schema(schema_generator=GenerateJsonSchema)
    parts: dict[str, Any] = schema["$defs"]
    for name, short in _SHORT.items():
        if name in parts:
            parts[f"{name}InFull"] = {**parts[name], "title": parts[name].get("title", name)}
            parts[name] = {"description": parts[name].get("description", ""), "anyOf": [short, _ref(f"{name}InFull")]}
    schema = _with_single_triggers(schema)
    return {"$schema": ADDRESS, "$id": "pack.schema.json", **schema}


_SHORT: dict[str, Any] = {
    "TriggerPart": {"type": "string", "examples": ["case.registered.v1"]},
    "WarningPart": {"type": "string", "pattern": "^[1-9][0-9]?%$", "examples": ["50%"]},
    "PausePart": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$", "examples": ["awaiting_requester"]},
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _with_single_triggers(node: Any) -> Any:
    """A list of triggers may be written as the one trigger it holds."""
    if isinstance(node, list):
        return [_with_single_triggers(each) for each in node]
    if not isinstance(node, dict):
        return node
    walked: dict[str, Any] = {name: _with_single_triggers(each) for name, each in node.items()}
    if walked.get("type") == "array" and walked.get("items") == _ref("TriggerPart"):
        kept = {name: walked.pop(name) for name in ("title", "description", "default") if name in walked}
        return {**kept, "anyOf": [walked, _ref("TriggerPart")]}
    return walked
