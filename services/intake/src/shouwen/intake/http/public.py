"""What routes for the public share: they need no bearer token, and are limited per network address instead."""

from typing import Any

from fastapi import Request

PUBLIC: dict[int | str, dict[str, Any]] = {
    429: {"description": "Too many requests from this address or for this number; retry_after_seconds says when"}
}
"""What a public route adds to the shared responses."""


def address_of(request: Request) -> str:
    """The network address of the caller; behind a proxy the server takes it from X-Forwarded-For, as set up."""
    return request.client.host if request.client else "unknown"
