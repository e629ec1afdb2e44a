"""A mailbox that is read by IMAP: each mail is taken in, then moved to another folder."""

import asyncio
import imaplib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog

from shouwen.runtime.errors import TooLarge, Transient

TIMEOUT_SECONDS = 30.0

_log = structlog.stdlib.get_logger("shouwen.intake.mail")


class MailboxDown(Transient):
    """The mailbox does not answer, or refuses the sign-in."""


@dataclass(frozen=True, slots=True)
class MailboxAccess:
    """How a mailbox is reached.

    Args:
        security: ``tls`` from the first byte, ``starttls`` after the greeting, or ``none`` (loopback only).
        folder: where mails come in.
        done_folder: where they are moved once they are taken in; it is made if it is missing.
        every: pause between two looks.
    """

    host: str
    port: int
    username: str
    password: str
    security: Literal["tls", "starttls", "none"]
    folder: str
    done_folder: str
    every: timedelta


async def watch(access: MailboxAccess, take_in: Callable[[bytes], Awaitable[object]]) -> None:
    """Empty the mailbox again and again, for ever.

    Raises:
        MailboxDown: it cannot be read at present.
    """
    while True:
        await empty(access, take_in)
        await asyncio.sleep(access.every.total_seconds())


async def empty(access: MailboxAccess, take_in: Callable[[bytes], Awaitable[object]]) -> int:
    """Take in each mail that lies in the folder, and move it away; gives how many.

    A mail is moved only after it was taken in. If this process dies in between, it is offered again.

    Raises:
        MailboxDown: it cannot be read at present.
    """
    connection = _Connection(access)
    try:
        await asyncio.to_thread(connection.open)
        uids = await asyncio.to_thread(connection.uids)
        for uid in uids:
            raw = await asyncio.to_thread(connection.fetch, uid)
            if raw is None:
                continue  # somebody has taken it away meanwhile
            try:
                await take_in(raw)
            except TooLarge:
                _log.error("a mail is over the limit and stays in the mailbox", size_bytes=len(raw))
                continue
            await asyncio.to_thread(connection.put_away, uid)
        return len(uids)
    except (imaplib.IMAP4.error, OSError, EOFError) as error:
        raise MailboxDown(f"The mailbox does not answer as it should ({type(error).__name__}).") from error
    finally:
        await asyncio.to_thread(connection.close)


class _Connection:
    """One visit to the mailbox; used by one thread at a time."""

    def __init__(self, access: MailboxAccess) -> None:
        self._access = access
        self._imap: imaplib.IMAP4 | None = None

    def open(self) -> None:
        access = self._access
        trust = ssl.create_default_context()
        if access.security == "tls":
            self._imap = imaplib.IMAP4_SSL(access.host, access.port, ssl_context=trust, timeout=TIMEOUT_SECONDS)
        else:
            self._imap = imaplib.IMAP4(access.host, access.port, timeout=TIMEOUT_SECONDS)
            if access.security == "starttls":
                self._imap.starttls(trust)
        self._imap.login(access.username, access.password)
        # An answer NO says that it exists.
        self._imap.create(_quoted(access.done_folder))
        self._done(self._imap.select(_quoted(access.folder)))

    def uids(self) -> list[bytes]:
        [found, *_] = self._done(self._given.uid("SEARCH", "UNDELETED")) or [b""]
        return bytes(found or b"").split()

    def fetch(self, uid: bytes) -> bytes | None:
        # PEEK leaves it unread: whether a person has read it says nothing about us.
        answer = self._done(self._given.uid("FETCH", uid.decode(), "(BODY.PEEK[])"))
        return next((bytes(each[1]) for each in answer if isinstance(each, tuple)), None)

    def put_away(self, uid: bytes) -> None:
        imap, folder = self._given, _quoted(self._access.done_folder)
        if "MOVE" in imap.capabilities:
            self._done(imap.uid("MOVE", uid.decode(), folder))
            return
        self._done(imap.uid("COPY", uid.decode(), folder))
        self._done(imap.uid("STORE", uid.decode(), "+FLAGS.SILENT", r"(\Deleted)"))
        self._done(imap.uid("EXPUNGE", uid.decode()) if "UIDPLUS" in imap.capabilities else imap.expunge())

    def close(self) -> None:
        if self._imap is None:
            return
        try:
            self._imap.logout()
        except (imaplib.IMAP4.error, OSError, EOFError):
            self._imap.shutdown()

    @property
    def _given(self) -> imaplib.IMAP4:
        assert self._imap is not None, "opened before"
        return self._imap

    @staticmethod
    def _done(answer: tuple[str, list[Any]]) -> list[Any]:
        status, lines = answer
        if status != "OK":
            # The server's words may quote a mail: they stay out of logs.
            raise imaplib.IMAP4.error(f"the server answered {status}")
        return lines


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
