"""A mail server for tests: real SMTP on loopback."""

import asyncio
from collections import deque
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import partial

from aiosmtpd.smtp import SMTP, Envelope, Session


class Receiver:
    """A mail server that keeps what it accepts and answers as it is told to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mails: list[EmailMessage] = []
        self.answers: deque[str] = deque()
        """What it answers to the next recipients, before it accepts again."""
        self.hangs_up = 0
        """How many of the next messages it takes without an answer."""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        make = partial(SMTP, self, enable_SMTPUTF8=True, ident="test", loop=asyncio.get_running_loop())
        self._server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.answers:
            return self.answers.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(BytesParser(policy=policy.default).parsebytes(content))
        if self.hangs_up:
            self.hangs_up -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]
