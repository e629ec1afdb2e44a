"""A mail that came in (RFC 5322): who wrote what to whom, in which thread, and whether a person wrote it at all."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from html.parser import HTMLParser
from typing import Literal

from shouwen.contracts.case import CaseType
from shouwen.intake.domain.attachments import Offered, offered
from shouwen.intake.domain.table import TYPES
from shouwen.runtime.errors import Invalid

MAIL_BYTES = 50_000_000
"""The longest mail that is taken, in bytes."""
MOST_REFERENCES = 50
MOST_FILES = 50
WORDS_LENGTH = 20_000
LINE_LENGTH = 200
OLDEST_RECEIPT = timedelta(days=14)
"""A mail server tries for days to hand a mail over; an older time of receipt is not believed."""

Reason = Literal["auto_reply", "bounce", "bulk", "spam", "unreadable", "unknown_recipient", "nobody_to_ask", "refused"]
"""Why a mail has not become a case: the first three by nature, the others for a person to look at."""

_NUMBER = re.compile(r"(?<![A-Z0-9])([A-Z]{2,4}-[0-9]{4}-[0-9]{6,10}(?:-[0-9]{1,3})?)(?![0-9])")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
_TAG = re.compile(r"[\[【]\s*([^\]】]{1,20}?)\s*[\]】]")
_ADDRESS = re.compile(r"^[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+$")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as far as the register needs it.

    Args:
        message_id: as the sender's system named it, if it did.
        thread: the ids that it refers to, the nearest first.
        sender: the address, in lower case, if there is one.
        name: what the sender calls themselves.
        recipients: addresses in lower case, those of the envelope first.
        number: the case number in its subject.
        type: the kind of matter that its subject names by a tag, as [投诉].
        nature: why it is nobody's letter, if it is none.
    """

    message_id: str | None
    thread: Sequence[str]
    sender: str | None
    name: str | None
    recipients: Sequence[str]
    subject: str
    text: str
    number: str | None
    type: CaseType | None
    nature: Reason | None
    received_at: datetime | None
    files: Sequence[tuple[str, bytes]]


def envelope_of(raw: bytes) -> tuple[str | None, bytes]:
    """The Message-ID, if there is one that can be read, and the body as it came."""
    found = re.search(rb"\r?\n\r?\n", raw)
    head, body = (raw, b"") if found is None else (raw[: found.start()], raw[found.end() :])
    try:
        stated = BytesParser(policy=policy.compat32).parsebytes(head, headersonly=True).get("Message-ID")
    except (ValueError, LookupError, TypeError, AttributeError):
        stated = None
    return _message_id(stated), body


UNREADABLE = Letter(
    message_id=None,
    thread=(),
    sender=None,
    name=None,
    recipients=(),
    subject="（无法解析的邮件 a mail that no machine could read）",
    text="（见原邮件 see the mail as it came）",
    number=None,
    type=None,
    nature=None,
    received_at=None,
    files=(),
)
"""What a person files when the mail itself could not be read."""


def read(raw: bytes, *, recipient: str | None = None) -> Letter:
    """Read a mail.

    Args:
        raw: as it came in.
        recipient: whom the mail server says it is for, if it does.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        message = BytesParser(policy=policy.default).parsebytes(raw)
        if not message.keys():
            raise ValueError("no mail")
        return _letter(message, recipient)
    except (LookupError, AttributeError, TypeError, IndexError, RecursionError) as error:
        # The parser of the standard library lets such errors through for malformed headers.
        raise ValueError("cannot be read") from error


def split_files(letter: Letter, *, limit_bytes: int) -> tuple[list[Offered], list[str]]:
    """The files that are taken, and a line for each that is not."""
    taken: list[Offered] = []
    left: list[str] = []
    for name, content in letter.files[:MOST_FILES]:
        try:
            if len(content) > limit_bytes:
                raise Invalid(f"The file is longer than {limit_bytes} bytes.")
            taken.append(offered(name, content))
        except Invalid as error:
            left.append(f"[未保存的附件 file not kept] {_line(name)}: {error.detail}")
    left += [f"[未保存的附件 file not kept] {_line(name)}" for name, _ in letter.files[MOST_FILES:]]
    return taken, left


def words_of(letter: Letter, remarks: Sequence[str] = ()) -> str:
    """The words of a mail as they are kept with a case, with remarks at their end."""
    tail = "\n".join(remarks)[: WORDS_LENGTH // 2]
    text = letter.text or "（无正文 no text）"
    room = WORDS_LENGTH - len(tail) - 40
    if len(text) > room:
        text = f"{text[:room]}\n…（全文见原邮件 cut）"
    return f"{text}\n\n{tail}" if tail else text


def branch_of(letter: Letter, addresses: Mapping[str, str]) -> str | None:
    """The branch that a mail was written to; ``*`` among the addresses stands for all others."""
    known = {address.lower(): branch for address, branch in addresses.items()}
    return next((known[each] for each in letter.recipients if each in known), known.get("*"))


def received_at(letter: Letter, *, now: datetime) -> datetime:
    """When the mail reached the group's mail server, by that server; now, where it does not say so credibly."""
    at = letter.received_at
    return at if at is not None and now - OLDEST_RECEIPT <= at <= now else now


def _letter(message: EmailMessage, recipient: str | None) -> Letter:
    subject = _line(_header(message, "Subject")) or "（无主题 no subject）"
    name, address = parseaddr(_header(message, "From"))
    address = address.strip().lower()
    number = _NUMBER.search(subject.upper())
    return Letter(
        message_id=_message_id(_header(message, "Message-ID")),
        thread=_thread(message),
        sender=address if _ADDRESS.match(address) and len(address) <= 254 else None,
        name=_line(name) or None,
        recipients=_recipients(message, recipient),
        subject=subject,
        text=_text(message),
        number=number.group(1) if number else None,
        type=next((TYPES[tag] for tag in _TAG.findall(subject) if tag in TYPES), None),
        nature=_nature(message),
        received_at=_received(message),
        files=_files(message),
    )


def _header(message: EmailMessage, name: str) -> str:
    value = message.get(name)
    return "" if value is None else str(value).replace("\r", "").replace("\n", " ").strip()


def _message_id(value: object) -> str | None:
    found = _MESSAGE_ID.search(str(value or ""))
    return found.group(0) if found else None


def _thread(message: EmailMessage) -> list[str]:
    """In-Reply-To first; then References from its end, where the nearest stands."""
    nearest = _MESSAGE_ID.findall(_header(message, "In-Reply-To"))
    chain = _MESSAGE_ID.findall(_header(message, "References"))[::-1]
    return list(dict.fromkeys([*nearest, *chain]))[:MOST_REFERENCES]


def _recipients(message: EmailMessage, recipient: str | None) -> list[str]:
    headers = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
    stated = [str(value) for header in headers for value in message.get_all(header, [])]
    addresses = [address for _, address in getaddresses(stated)]
    return list(dict.fromkeys(each.strip().lower() for each in [recipient or "", *addresses] if each.strip()))


def _nature(message: EmailMessage) -> Reason | None:
    """Whether a machine wrote it (RFC 3834, RFC 3464): it must never open a case.

    A List-Id says nothing against it: a service address is often a list itself.
    """
    automatic = _header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    precedence = _header(message, "Precedence").lower()
    sender = _header(message, "From").lower()
    subject = _header(message, "Subject").lower()
    signs: dict[Reason, bool] = {
        "bounce": message.get_content_type() == "multipart/report"
        or _header(message, "Return-Path") == "<>"
        or "mailer-daemon@" in sender
        or "postmaster@" in sender,
        "auto_reply": automatic not in {"", "no"}
        or precedence == "auto_reply"
        or any(message.get(each) is not None for each in ("X-Autoreply", "X-Autorespond"))
        or subject.startswith(("自动回复", "automatic reply:", "out of office:")),
        "bulk": precedence in {"bulk", "junk"},
        "spam": _header(message, "X-Spam-Flag").lower() == "yes",
    }
    return next((reason for reason, is_so in signs.items() if is_so), None)


def _received(message: EmailMessage) -> datetime | None:
    """The time in the topmost Received header: our own mail server's."""
    received = message.get_all("Received", [])
    if not received:
        return None
    try:
        at = parsedate_to_datetime(str(received[0]).rpartition(";")[2].strip())
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    text = _content(body)
    return _plain(_without_markup(text) if body.get_content_type() == "text/html" else text)


def _content(part: MIMEPart) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    stated = part.get_content_charset() or "utf-8"
    # GB2312 in a header mostly means its superset.
    for charset in ("gb18030" if stated in {"gb2312", "gbk"} else stated, "utf-8", "gb18030"):
        try:
            return raw.decode(charset)
        except (LookupError, UnicodeDecodeError):
            continue
    return raw.decode("utf-8", "replace")


def _files(message: EmailMessage) -> list[tuple[str, bytes]]:
    body = message.get_body(("plain", "html"))
    found: list[tuple[str, bytes]] = []
    for part in message.walk():
        if part is body or part.is_multipart():
            continue
        name = part.get_filename()
        if name is None and part.get_content_disposition() != "attachment":
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes) and payload:
            found.append((str(name or f"attachment.{part.get_content_subtype()}"), payload))
    return found


def _line(text: str) -> str:
    return " ".join(_plain(text).split())[:LINE_LENGTH].strip()


def _plain(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (each for each in text if (each >= " " or each in "\t\n") and not "\ud800" <= each <= "\udfff")
    return "".join(kept).strip()


class _Words(HTMLParser):
    """The words of an HTML page, a line for each block."""

    _BLOCKS = frozenset({"p", "br", "div", "tr", "li", "h1", "h2", "h3", "table", "blockquote"})
    _SILENT = frozenset({"script", "style", "head", "title"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in self._SILENT:
            self._silent += 1
        elif tag in self._BLOCKS:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent = max(self._silent - 1, 0)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(re.sub(r"\s+", " ", data))


def _without_markup(text: str) -> str:
    page = _Words()
    page.feed(text)
    page.close()
    lines = (" ".join(line.split()) for line in "".join(page.words).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
