"""Golden samples: one event of each type as it once went over the wire. Append-only.

A file is never changed or removed, because consumers must read what was ever published. When a type gains a field,
a further sample ``TYPE-WORD.json`` shows it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """A recorded event: its name, its Kafka key and headers, and its body."""

    name: str
    key: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def event_type(self) -> str:
        return self.headers["ce_type"]

    def record(self) -> tuple[bytes, list[tuple[str, bytes]], bytes]:
        """Key, headers and body as Kafka carries them."""
        headers = [(name, value.encode()) for name, value in self.headers.items()]
        return self.key.encode(), headers, json.dumps(self.body, ensure_ascii=False).encode()


def every() -> Iterator[Sample]:
    """All samples, by name."""
    for file in sorted(resources.files(__name__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            content = json.loads(file.read_text(encoding="utf-8"))
            yield Sample(file.name.removesuffix(".json"), content["key"], content["headers"], content["body"])


def of(event_type: str) -> Sample:
    """The first sample of an event type.

    Raises:
        LookupError: there is none.
    """
    found = [sample for sample in every() if sample.event_type == event_type]
    if not found:
        raise LookupError(f"{event_type} has no sample in shouwen/contracts/samples")
    return found[0]
