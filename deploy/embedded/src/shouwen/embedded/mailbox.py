"""A mail server for evaluation: takes every message on loopback, sends none on, and keeps each as a file of a Maildir.

    python -m shouwen.embedded.mailbox MAILDIR PORT

The file `received` in the Maildir counts the accepted messages, so that a test can tell "never sent" from "deleted".
"""

import asyncio
import mailbox
import signal
import socket
import sys
from email import message_from_bytes
from functools import partial
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from shouwen.embedded.process import Process, own_environment

READY_SECONDS = 20.0
MAX_MESSAGE_BYTES = 10_000_000
ACCEPTED = "250 Message accepted for the local mailbox"


class Mailbox:
    """The mail receiver of one home."""

    def __init__(self, home: Path, port: int) -> None:
        self.folder = home / "mailbox"
        self.port = port
        self.process = Process(
            name="mailbox",
            marker=str(self.folder),
            log=home / "logs" / "mailbox.log",
            pid_file=home / "run" / "mailbox.json",
            stop_seconds=5,
        )

    def start(self) -> None:
        """Start the receiver; does not wait."""
        own = [sys.executable, "-P", "-m", "shouwen.embedded.mailbox"]
        self.process.start([*own, str(self.folder), str(self.port)], own_environment(PYTHONUNBUFFERED="1"))

    def wait_ready(self) -> None:
        """Wait until it takes connections."""
        self.process.wait_ready(self._listens, READY_SECONDS)

    def stop(self) -> None:
        """Stop the receiver; its messages stay."""
        self.process.stop()

    def received(self) -> int:
        """How many messages were ever accepted."""
        return _received(self.folder)

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


class _Keeper:
    """aiosmtpd's handler: stores what arrives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maildir = mailbox.Maildir(folder, create=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the message; the sender is told only after it is on disk."""
        content = envelope.content
        message = message_from_bytes(content.encode() if isinstance(content, str) else content or b"")
        message["Return-Path"] = f"<{envelope.mail_from or ''}>"
        for recipient in envelope.rcpt_tos:
            message["Delivered-To"] = recipient
        self._maildir.add(message)
        (self._folder / "received").write_text(str(_received(self._folder) + 1))
        return ACCEPTED


def _received(folder: Path) -> int:
    try:
        return int((folder / "received").read_text())
    except (FileNotFoundError, ValueError):
        return 0


async def _serve(folder: Path, port: int) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    protocol = partial(
        SMTP, _Keeper(folder), data_size_limit=MAX_MESSAGE_BYTES, enable_SMTPUTF8=True, ident="Shouwen mailbox"
    )
    server = await loop.create_server(protocol, "127.0.0.1", port)
    await stopping.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
