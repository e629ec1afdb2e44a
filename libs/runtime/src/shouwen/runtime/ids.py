"""Ids of new things: unique, and in the order in which the things came to be."""

import os
from datetime import datetime
from uuid import UUID

_RANDOM_BYTES = 10


def new_id(at: datetime) -> UUID:
    """A UUID version 7: it begins with ``at`` in milliseconds, so that pages and indexes follow the order of time."""
    value = int(at.timestamp() * 1000) << 80 | int.from_bytes(os.urandom(_RANDOM_BYTES))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
