"""May a new schema of an event type replace an old one? Only additions are allowed inside a version.

Both sides must go on understanding each other: an old consumer reads new events (no field may vanish or change its
meaning), and a new consumer reads old events (no field may become required, no value that was allowed may be refused).
"""

from collections.abc import Iterator, Mapping
from typing import Any

JsonSchema = Mapping[str, Any]
_FLOORS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_CEILINGS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaks(old: JsonSchema, new: JsonSchema) -> list[str]:
    """What in the new schema breaks the promise of the old one; empty when the change only adds."""
    return list(_Comparison(old, new).of("", old, new))


class _Comparison:
    def __init__(self, old: JsonSchema, new: JsonSchema) -> None:
        self._old = old
        self._new = new

    def of(self, path: str, old: JsonSchema, new: JsonSchema) -> Iterator[str]:
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(path, old, new)
            return
        yield from _types(path or "the event", old, new)
        yield from _limits(path or "the event", old, new)
        yield from self._properties(path, old, new)
        if "items" in old and "items" in new:
            yield from self.of(f"{path}[]", old["items"], new["items"])

    def _properties(self, path: str, old: JsonSchema, new: JsonSchema) -> Iterator[str]:
        before: JsonSchema = old.get("properties", {})
        after: JsonSchema = new.get("properties", {})
        for name in before:
            inner = f"{path}.{name}" if path else name
            if name in after:
                yield from self.of(inner, before[name], after[name])
            else:
                yield f"{inner}: the field was removed or renamed"
        was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(is_required - was_required):
            inner = f"{path}.{name}" if path else name
            kind = "the new field" if name not in before else "the field"
            yield f"{inner}: {kind} is required; old events do not have it"
        for name in sorted(was_required - is_required):
            if name in after:
                inner = f"{path}.{name}" if path else name
                yield f"{inner}: the field is no longer required; old consumers rely on it"

    def _alternatives(self, path: str, old: JsonSchema, new: JsonSchema) -> Iterator[str]:
        before = list(old.get("anyOf", [old]))
        after = list(new.get("anyOf", [new]))
        for option in before:
            complaints = [list(self.of(path, option, candidate)) for candidate in after]
            if all(complaints):
                shown = _shape(_resolved(self._old, option))
                closest = min(complaints, key=len)
                yield f"{path}: {shown} is no longer accepted ({'; '.join(closest)})"
        if _allows_null(after) and not _allows_null(before):
            yield f"{path}: null is sent now; old consumers refuse it"


def _allows_null(options: list[Any]) -> bool:
    return any(option.get("type") == "null" for option in options)


def _resolved(root: JsonSchema, schema: JsonSchema) -> JsonSchema:
    while "$ref" in schema:
        schema = {
            **root["$defs"][schema["$ref"].rpartition("/")[2]],
            **{k: v for k, v in schema.items() if k != "$ref"},
        }
    return schema


def _shape(schema: JsonSchema) -> str:
    return str(schema.get("title") or schema.get("format") or schema.get("type") or "a value")


def _types(path: str, old: JsonSchema, new: JsonSchema) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    if before != after:
        yield f"{path}: the type changed from {before or 'any'} to {after or 'any'}"
    if old.get("format") != new.get("format"):
        yield f"{path}: the format changed from {old.get('format') or 'none'} to {new.get('format') or 'none'}"


def _limits(path: str, old: JsonSchema, new: JsonSchema) -> Iterator[str]:
    gone = [str(value) for value in _values(old) or () if value not in (_values(new) or (value,))]
    if gone:
        yield f"{path}: {', '.join(gone)} is no longer accepted"
    if _values(new) and not _values(old):
        yield f"{path}: only {', '.join(map(str, _values(new) or ()))} is accepted now"
    if new.get("pattern") and new.get("pattern") != old.get("pattern"):
        yield f"{path}: the pattern changed"
    for name in _FLOORS:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{path}: {name} was raised to {new[name]}"
    for name in _CEILINGS:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{path}: {name} was lowered to {new[name]}"
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield f"{path}: unknown fields are refused now"


def _values(schema: JsonSchema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")
