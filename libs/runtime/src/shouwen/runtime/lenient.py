"""Reading records whose header names are not UTF-8, which Kafka stores but aiokafka cannot decode.

One such record, which any librdkafka client can send, would stop its whole partition: the exception rises while the
batch is unpacked, before anybody sees the record, and again at every poll. So a batch that cannot be unpacked is read
once more with undecodable bytes in header names replaced. Only a batch that is in fact affected pays for it.
"""

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records

_LENGTH_AT = 8
_OVERHEAD = 12
_MAGIC_AT = 16
_records: Any = fetcher.MemoryRecords
_batch_in_python: Any = default_records._DefaultRecordBatchPy  # pyright: ignore[reportPrivateUsage]


class _Bytes(bytearray):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Bytes(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, "replace")


class LenientRecords:
    """The record batches of one fetched partition; stands in for aiokafka's own reader of them."""

    def __init__(self, data: bytes) -> None:
        self._inner = _records(data)
        self._data = memoryview(data)
        self._at = 0

    def next_batch(self) -> "LenientBatch | None":
        """The next batch, or None."""
        batch = self._inner.next_batch()
        if batch is None:
            return None
        begin = self._at
        (length,) = struct.unpack_from(">i", self._data, begin + _LENGTH_AT)
        self._at = begin + _OVERHEAD + length
        return LenientBatch(batch, self._data[begin : self._at])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class LenientBatch:
    """One record batch."""

    def __init__(self, inner: Any, data: memoryview) -> None:
        self._inner = inner
        self._data = data

    def __iter__(self) -> Iterator[Any]:
        if self._data[_MAGIC_AT] < 2:  # before headers
            return iter(self._inner)
        try:
            return iter(list(self._inner))
        except (UnicodeDecodeError, CorruptRecordException):
            return iter(self._replacing())

    def _replacing(self) -> list[Any]:
        batch = _batch_in_python(self._data)
        iter(batch)  # decompresses
        batch._buffer = _Bytes(batch._buffer)
        return list(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def read_leniently() -> None:
    """Let every aiokafka consumer of this process read so; a second call changes nothing."""
    setattr(fetcher, "MemoryRecords", LenientRecords)  # noqa: B010 (the module declares the name as final)
