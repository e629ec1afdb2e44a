"""Logs: one JSON object a line, with the trace's ids, without secrets and without the text of unexpected errors.

Everything that logs through the standard library (uvicorn, aiokafka, asyncpg, FastStream) comes out in the same form.
An error is logged by its kind and its frames. Its text is logged only when it is one of ours: those carry ids and field
names, while a database's "Key (phone)=(…) already exists" would carry a person's number.
"""

import logging
import re
import sys
import time
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from opentelemetry import trace

from shouwen.runtime.errors import ShouwenError

_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [removed]"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]*\.[\w.-]*"), "[token removed]"),
    (re.compile(r"(\w+://[^:/@\s]*):[^@/\s]+@"), r"\1:[removed]@"),
)
_SECRET_NAMES = re.compile(r"(?i)password|secret|token|authorization|cookie|private|api_key")
_NOISY = ("aiokafka", "kafka", "faststream")
_FRAMES = 30

Event = MutableMapping[str, Any]


def setup(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Log as JSON to ``stream`` (standard error) from now on."""
    shared = _configure(service)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            keep_exc_info=False,
        )
    )
    handler.addFilter(_Once(seconds=10.0))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # Access lines hold query strings; the request's span and duration tell the same without them.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore", "asyncio", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def setup_for_tests() -> None:
    """Hand our lines to the standard library's handlers, where pytest captures them, without JSON and handlers of ours.

    structlog's own default draws tracebacks with all local variables, which takes seconds.
    """
    _configure("tests", [structlog.processors.KeyValueRenderer(key_order=["event"])])


def _configure(service: str, last: list[Any] | None = None) -> list[Any]:
    def with_service(_logger: object, _method: str, event: Event) -> Event:
        event["service"] = service
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        with_service,
        _with_trace,
        _with_error,
        _without_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            *(last or [structlog.stdlib.ProcessorFormatter.wrap_for_formatter]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return shared


class _Once(logging.Filter):
    """Of the Kafka clients' equal lines lets one through per interval: a lost broker is told 100 times a second."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_NOISY):
            return True
        key, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(key, float("-inf")) < self._seconds:
            return False
        if len(self._last) > 1000:
            self._last.clear()
        self._last[key] = now
        return True


def error_summary(error: BaseException) -> dict[str, Any]:
    """An error as it may be logged: its kind, its text if it is one of ours, its frames, and what caused it."""
    summary: dict[str, Any] = {"kind": f"{type(error).__module__}.{type(error).__qualname__}"}
    if isinstance(error, ShouwenError):
        summary["text"] = str(error)
    if state := getattr(error, "sqlstate", None):
        summary["sqlstate"] = str(state)
    if isinstance(error, OSError) and error.errno is not None:
        summary["errno"] = error.errno
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    summary["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        summary["cause"] = {**error_summary(cause), "frames": []}
    if isinstance(error, BaseExceptionGroup):
        summary["errors"] = [error_summary(each) for each in error.exceptions[:5]]
    return summary


def _with_trace(_logger: object, _method: str, event: Event) -> Event:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
        event["span_id"] = f"{span.span_id:016x}"
    return event


def _with_error(_logger: object, _method: str, event: Event) -> Event:
    record = event.get("_record")
    raised: Any = event.pop("exc_info", None) or (record.exc_info if isinstance(record, logging.LogRecord) else None)
    if raised is True:
        raised = sys.exc_info()[1]
    elif isinstance(raised, tuple):
        raised = raised[1]
    if isinstance(raised, BaseException):
        event["exception"] = error_summary(raised)
    if isinstance(record, logging.LogRecord):
        record.exc_info = record.exc_text = None
    return event


def _without_secrets(_logger: object, _method: str, event: Event) -> Event:
    for name, value in event.items():
        if name.startswith("_"):
            continue
        event[name] = "[removed]" if _SECRET_NAMES.search(name) else _cleaned(value)
    return event


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            for pattern, instead in _SECRETS:
                value = pattern.sub(instead, value)
            return value
        case dict():
            return {
                name: "[removed]" if _SECRET_NAMES.search(str(name)) else _cleaned(each) for name, each in value.items()
            }
        case list() | tuple():
            return [_cleaned(each) for each in value]
        case BaseException():
            return str(value) if isinstance(value, ShouwenError) else type(value).__qualname__
        case _:
            return value
