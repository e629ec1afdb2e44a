"""Contents of files, outside the database: a folder or any S3-compatible store, each sealed under a key of its own.

The key of a content lies with its row, encrypted under the key ring: a rotation of the ring touches rows only, and a
content whose row has lost its key cannot be read by anybody, nor in any backup of the store.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import obstore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, from_url

from shouwen.runtime.errors import FieldProblem, Refused, Transient
from shouwen.runtime.settings import BadSettings

_NONCE_BYTES = 12
_SETTING = "SHOUWEN_ATTACHMENTS_URL"
_NO_BUCKET = "<Code>NoSuchBucket</Code>"
"""How S3 says so; obstore has one error for this and for a missing content."""


class ContentUnreadable(Refused):
    """The stored content of this file is missing or was changed."""

    def __init__(self) -> None:
        super().__init__(remedy="Ask the operator to bring it back from a backup of the file store.")


class FileStoreDown(Transient):
    """The store of files does not answer at the moment."""


class FileStoreClosed(FileStoreDown):
    """The store of files refuses this installation's sign-in, or does not have its bucket or folder."""

    def __init__(self) -> None:
        super().__init__(
            remedy=f"Ask the operator to check {_SETTING} and the store's credentials; then send it again."
        )


class Files:
    """The store of contents.

    Args:
        url: ``file:///folder``, ``s3://bucket/folder``, or another that obstore knows; credentials come from the
            variables that the store's own tools read (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL`` …).

    Raises:
        BadSettings: the address cannot be used.
    """

    def __init__(self, url: str) -> None:
        try:
            self._store = LocalStore.from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)
        except (BaseError, ValueError, OSError) as error:
            problem = f"cannot be used ({type(error).__name__})"
            raise BadSettings(
                (FieldProblem(_SETTING, problem, "Give file:///folder or s3://bucket/folder."),)
            ) from None

    async def put(self, place: str, content: bytes) -> bytes:
        """Seal a content and keep it; gives the key that opens it.

        Raises:
            FileStoreDown: the store does not take it at present.
        """
        key = AESGCM.generate_key(256)
        sealed = await asyncio.to_thread(_sealed, key, place, content)
        try:
            await obstore.put_async(self._store, place, sealed)
            if isinstance(self._store, LocalStore) and self._store.prefix is not None:
                await asyncio.to_thread(_make_durable, Path(self._store.prefix) / place)
        except (BaseError, OSError) as error:
            raise _refusal(error, remedy="Send the file again shortly.") from error
        return key

    async def get(self, place: str, key: bytes) -> bytes:
        """The content as it came in.

        Raises:
            ContentUnreadable: it is not there, or not what was kept.
            FileStoreDown: the store does not answer.
        """
        try:
            answer: Any = await obstore.get_async(self._store, place)
            sealed = bytes(await answer.bytes_async())
        except (BaseError, OSError) as error:
            if _is_missing(error):
                raise ContentUnreadable from None
            raise _refusal(error, remedy="Ask again shortly.") from error
        try:
            return await asyncio.to_thread(_opened, key, place, sealed)
        except (InvalidTag, ValueError):
            raise ContentUnreadable from None

    async def remove(self, place: str) -> None:
        """Delete a content; one that is not there is well.

        Raises:
            FileStoreDown: the store does not answer.
        """
        try:
            await obstore.delete_async(self._store, place)
        except (BaseError, OSError) as error:
            if not _is_missing(error):
                raise _refusal(error, remedy="Ask again shortly.") from error


def _is_missing(error: Exception) -> bool:
    """Whether the store answered that it does not have this content; a store without its bucket cannot know."""
    return isinstance(error, FileNotFoundError) and _NO_BUCKET not in str(error)


def _refusal(error: Exception, *, remedy: str) -> FileStoreDown:
    closed = isinstance(error, (PermissionDeniedError, UnauthenticatedError, FileNotFoundError))
    return FileStoreClosed() if closed else FileStoreDown(remedy=remedy)


def _sealed(key: bytes, place: str, content: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, place.encode())


def _opened(key: bytes, place: str, sealed: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())


def _make_durable(path: Path) -> None:
    """Bring a file and its name to the disk, as the database does with the row that is about to name it."""
    for each in (path, path.parent, path.parent.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
