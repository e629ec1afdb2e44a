"""Files that lie with a case: which kinds are taken, and whether a content is of the kind that its name says."""

import io
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

import puremagic

from shouwen.runtime.errors import Invalid, Refused

MOST_PER_CASE = 200
NAME_LENGTH = 200
"""Longest name of a file, in characters."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its media type, and what its content must look like.

    Args:
        media_type: as it is told on the way out.
        signatures: the extensions of which the content must bear one's magic number; empty for text.
        part: of an Office document, the part it must have inside.
    """

    media_type: str
    signatures: frozenset[str] = frozenset()
    part: str | None = None


def _office(name: str, part: str) -> Kind:
    family = "application/vnd.openxmlformats-officedocument."
    return Kind(f"{family}{name}", frozenset({".docx", ".xlsx", ".pptx", ".zip"}), part)


_JPEG = Kind("image/jpeg", frozenset({".jpg", ".jpeg"}))
_TIFF = Kind("image/tiff", frozenset({".tif", ".tiff"}))

KINDS: Mapping[str, Kind] = {
    "pdf": Kind("application/pdf", frozenset({".pdf"})),
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "png": Kind("image/png", frozenset({".png"})),
    "gif": Kind("image/gif", frozenset({".gif"})),
    "webp": Kind("image/webp", frozenset({".webp"})),
    "heic": Kind("image/heic", frozenset({".heic", ".heif"})),
    "tif": _TIFF,
    "tiff": _TIFF,
    "docx": _office("wordprocessingml.document", "word/document.xml"),
    "xlsx": _office("spreadsheetml.sheet", "xl/workbook.xml"),
    "pptx": _office("presentationml.presentation", "ppt/presentation.xml"),
    "txt": Kind("text/plain; charset=utf-8"),
    "csv": Kind("text/csv; charset=utf-8"),
    "mp3": Kind("audio/mpeg", frozenset({".mp3", ".mpga"})),
    "m4a": Kind("audio/mp4", frozenset({".m4a", ".f4a"})),
    "wav": Kind("audio/wav", frozenset({".wav"})),
    "amr": Kind("audio/amr", frozenset({".amr"})),
    "mp4": Kind("video/mp4", frozenset({".mp4"})),
}
"""Kinds by extension. Formats that may carry a programme (doc, xls, docm, html, svg, zip …) are not among them."""


class TooManyAttachments(Refused):
    """The case has as many attachments as a case may have."""

    def __init__(self) -> None:
        super().__init__(field="file", remedy=f"A case holds {MOST_PER_CASE}; put several pages into one file.")


@dataclass(frozen=True, slots=True)
class Offered:
    """A file whose name and content fit together and are of a kind that is taken."""

    name: str
    media_type: str
    content: bytes


def offered(name: str | None, content: bytes) -> Offered:
    """A file as it was handed in, with its name made plain.

    Raises:
        Invalid: it has no name, no content, or is of a kind that is not taken; or its content is of another kind.
    """
    plain = plain_name(name)
    extension = plain.rpartition(".")[2].lower() if "." in plain else ""
    kind = KINDS.get(extension)
    if kind is None:
        raise Invalid(
            "A file of this kind is not taken.",
            field="name",
            remedy=f"Hand in one of {', '.join(sorted(KINDS))}; documents of other kinds can be saved as pdf.",
        )
    if not content:
        raise Invalid("The file is empty.", field="file", remedy="Send the content of the file.")
    if not _is_of(kind, content):
        raise Invalid(
            f"The content is not that of a {extension} file.",
            field="file",
            remedy="Give the file the name of what it is, or save it anew in a kind that is taken.",
        )
    return Offered(plain, kind.media_type, content)


def plain_name(name: str | None) -> str:
    """The last part of a path, without characters that a file system or a reader's eye may take amiss.

    Raises:
        Invalid: nothing is left.
    """
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    # Cc, Cf: control and formatting characters; a right-to-left override makes "fdp.exe" look like "exe.pdf".
    shown = "".join(each for each in last if unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"})
    shown = " ".join(shown.split()).strip(". ")
    if not shown:
        raise Invalid("The file has no name.", field="name", remedy="Name it with its extension, as letter.pdf.")
    if len(shown) > NAME_LENGTH:
        stem, _, extension = shown.rpartition(".")
        shown = f"{stem[: NAME_LENGTH - len(extension) - 1]}.{extension}" if stem and len(extension) < 10 else shown
    return shown[:NAME_LENGTH]


def _is_of(kind: Kind, content: bytes) -> bool:
    if not kind.signatures:
        return _is_text(content)
    try:
        candidates = {each.extension for each in puremagic.magic_string(content)}
    except (puremagic.PureError, ValueError):
        return False
    if kind.signatures.isdisjoint(candidates):
        return False
    return kind.part is None or _is_office(content, kind.part)


def _is_text(content: bytes) -> bool:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return not any(character < " " and character not in "\t\n\r\f" for character in text)
    return False


def _is_office(content: bytes, part: str) -> bool:
    """Whether it is a package with this part inside, and without a macro."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            names = {each.lower() for each in package.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False
    return "[content_types].xml" in names and part in names and not any("vbaproject" in each for each in names)
