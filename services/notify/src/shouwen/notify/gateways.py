"""The way out: the mail server, the evaluation mailbox, and the files notify reads at its start."""

import asyncio
import mailbox
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime
from importlib import resources
from pathlib import Path
from typing import get_args

import yaml
from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from pydantic import ValidationError

from shouwen.notify.domain.audience import TemplateName
from shouwen.notify.domain.delivery import Accepted, Deferred, Outcome, Rejected, Unknown
from shouwen.notify.domain.wording import Template, TemplateSource, checked
from shouwen.runtime.errors import FieldProblem, Invalid, NotFound
from shouwen.runtime.settings import BadSettings

IDLE_SECONDS = 5.0
"""A connection that rested longer is not used again: servers close idle ones without a word."""
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class SmtpAccess:
    """How the mail server is reached; ``timeout`` in seconds: to reach it, and again to hand a message over."""

    host: str
    port: int
    username: str | None
    password: str | None
    starttls: bool
    timeout: float
    sender: str


class SmtpConnection:
    """A connection to the mail server, opened when needed; for one task at a time."""

    def __init__(self, access: SmtpAccess) -> None:
        self._access = access
        self._client: SMTP | None = None
        self._used = 0.0

    async def send(self, message: EmailMessage, recipient: str) -> Outcome:
        """Try to send; what it says about the message is always true, at worst that nobody can know."""
        try:
            async with asyncio.timeout(self._access.timeout):
                client = await self._introduced(recipient)
        except SMTPResponseException as error:
            self._drop()
            return _answered(error)
        except (SMTPException, OSError, ValueError) as error:
            # Until here nothing of the message was sent.
            self._drop()
            return Deferred(_kind(error))
        try:
            async with asyncio.timeout(self._access.timeout):
                await client.data(message.as_bytes(policy=policy.SMTP))
        except SMTPResponseException as error:
            self._drop()
            return _answered(error)
        except (SMTPException, OSError) as error:
            self._drop()
            return Unknown(f"the connection broke while the message was handed over ({type(error).__name__})")
        except BaseException:
            self._drop()
            raise
        self._used = asyncio.get_running_loop().time()
        return Accepted()

    async def close(self) -> None:
        """Say goodbye, if there is somebody."""
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.quit(timeout=1)
            except (SMTPException, OSError):
                client.close()

    async def _connected(self) -> tuple[SMTP, bool]:
        if self._client is not None:
            if self._client.is_connected and asyncio.get_running_loop().time() - self._used < IDLE_SECONDS:
                return self._client, True
            await self.close()
        access = self._access
        self._client = client = SMTP(
            hostname=access.host,
            port=access.port,
            username=access.username,
            password=access.password,
            start_tls=access.starttls,
            timeout=access.timeout,
            local_hostname=access.sender.rpartition("@")[2],
        )
        await client.connect()
        return client, False

    async def _introduced(self, recipient: str) -> SMTP:
        client, kept = await self._connected()
        try:
            await self._introduce(client, recipient)
        except (SMTPServerDisconnected, OSError):
            if not kept:
                raise
            # The kept connection had died meanwhile, which says nothing about the server.
            self._drop()
            client, _ = await self._connected()
            await self._introduce(client, recipient)
        return client

    async def _introduce(self, client: SMTP, recipient: str) -> None:
        await client.mail(self._access.sender, encoding="utf-8")
        await client.rcpt(recipient, encoding="utf-8")

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _answered(error: SMTPResponseException) -> Outcome:
    # Only the code: a server's text often repeats the address.
    reason = f"the mail server answered {error.code}"
    # A refused sign-in or sender is a fault of our settings: the operator mends it and the mails still go out.
    speaks_of_message = isinstance(error, (SMTPRecipientRefused, SMTPDataError))
    return Rejected(reason) if speaks_of_message and error.code >= _PERMANENT else Deferred(reason)


def _kind(error: BaseException) -> str:
    return f"the mail server was not reached ({type(error).__name__})"


def mail(
    *, sender: str, recipient: str, subject: str, body: str, message_id: str, thread_id: str, created: str
) -> EmailMessage:
    """An e-mail that says it was made by a machine (RFC 3834), so that no absence note answers it."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = f"首问 Shouwen <{sender}>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = created
    message["Message-ID"] = message_id
    message["References"] = thread_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(body, cte="base64")
    return message


mail_date = format_datetime


# --- evaluation mailbox ---------------------------------------------------------------------------------------------


class MailboxNotConnected(NotFound):
    """No evaluation mailbox is connected."""

    def __init__(self) -> None:
        super().__init__(
            remedy="It exists in the embedded suite only. Look at GET /api/deliveries, or ask your mail server."
        )


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in the evaluation mailbox, whole."""

    key: str
    message_id: str
    sender: str
    recipient: str
    subject: str
    date: str
    text: str


_MAILDIR_NAME = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)")


class EvaluationMailbox:
    """The Maildir which the launcher's mail receiver fills."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def page(self, *, before: str | None, limit: int) -> tuple[list[Mail], str | None]:
        """The newest mails, and where the next page begins.

        Raises:
            MailboxNotConnected: no mailbox is configured.
        """
        if self._folder is None:
            raise MailboxNotConnected
        return await asyncio.to_thread(self._page, self._folder, before, limit)

    @staticmethod
    def _page(folder: Path, before: str | None, limit: int) -> tuple[list[Mail], str | None]:
        if not (folder / "new").is_dir():
            return [], None
        box = mailbox.Maildir(folder, create=False)
        older = (key for key in box.keys() if before is None or _arrival(key) < _arrival(before))  # noqa: SIM118
        keys = sorted(older, key=_arrival, reverse=True)
        chosen = keys[:limit]
        mails: list[Mail] = []
        for key in chosen:
            try:
                mails.append(_read_mail(key, box.get_bytes(key)))
            except KeyError:
                continue  # deleted meanwhile
        return mails, chosen[-1] if len(keys) > limit else None


def _arrival(key: str) -> tuple[int, ...]:
    """Second, microsecond and count in a Maildir name; they are not padded, so the name itself does not sort."""
    found = _MAILDIR_NAME.match(key)
    return tuple(int(part) for part in found.groups()) if found else ()


def _read_mail(key: str, content: bytes) -> Mail:
    message = BytesParser(policy=policy.default).parsebytes(content)
    body = message.get_body(preferencelist=("plain",))
    return Mail(
        key=key,
        message_id=str(message["Message-ID"] or ""),
        sender=str(message["From"] or ""),
        recipient=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        date=str(message["Date"] or ""),
        text=str(body.get_content()) if body is not None else "",
    )


# --- files ----------------------------------------------------------------------------------------------------------


def bundled_templates() -> Mapping[str, Template]:
    """The templates that travel with this package, all checked.

    Raises:
        BadSettings: one is missing or wrong; it says which and where.
    """
    folder = resources.files("shouwen.notify") / "templates"
    found: dict[str, Template] = {}
    for name in get_args(TemplateName):
        try:
            text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
            found[name] = checked(name, TemplateSource.model_validate(yaml.safe_load(text)))
        except Invalid as error:
            raise BadSettings((_in_template(name, error.field, error.detail),)) from None
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise BadSettings((_in_template(name, None, f"cannot be read ({type(error).__name__})"),)) from None
    return found


def _in_template(name: str, field: str | None, problem: str) -> FieldProblem:
    return FieldProblem(f"template {name} {field or ''}".strip(), problem, f"Correct templates/{name}.yaml.")
