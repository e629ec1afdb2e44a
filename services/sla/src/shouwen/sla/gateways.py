"""What comes from files: the packs that ship with this service, and the directory of branches."""

from importlib import resources
from pathlib import Path

import httpx

from shouwen.contracts.directory import BranchDescribed
from shouwen.runtime.directory_file import read_directory
from shouwen.runtime.errors import Invalid, Refused, Transient
from shouwen.sla.domain.calendar import Schedule
from shouwen.sla.domain.pack import Pack
from shouwen.sla.domain.pack_file import read_pack
from shouwen.sla.domain.schedule_file import read_schedule


def shipped_packs() -> list[Pack]:
    """The packs inside this distribution.

    Raises:
        BadPack: one of them is not valid.
    """
    folder = resources.files("shouwen.sla") / "packs"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return [read_pack(file.read_text(encoding="utf-8"), file=f"packs/{file.name}") for file in files]


def text_of(file: Path, field: str) -> str:
    """A file's text.

    Raises:
        Invalid: it cannot be read; ``field`` says which setting or option named it.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"{file.name} cannot be read ({type(error).__name__}).", field=field, remedy="Name a readable UTF-8 file."
        ) from None


def schedule_of(file: Path) -> Schedule:
    """The working hours that a schedule file describes.

    Raises:
        BadFile: a field in it is wrong.
        Invalid: it cannot be read.
    """
    return read_schedule(text_of(file, "schedule"), file=file.name)


class NotLoaded(Refused):
    """The service did not take the announcement."""


def send_announcement(url: str, token: str, text: str) -> None:
    """Load the announcement of a year through the API of a running service.

    Raises:
        NotLoaded: it refuses; the text says why.
        Transient: it does not answer.
    """
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/api/calendars/announcements",
            content=text.encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/yaml"},
            timeout=_PATIENCE_SECONDS,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Transient(
            f"{url} does not answer ({type(error).__name__}).", field="--url", remedy="Give the address of sla."
        ) from None
    if answer.status_code == _NOT_SIGNED_IN:
        raise NotLoaded("The token is not accepted.", field="SHOUWEN_TOKEN", remedy="Set a token of group_admin.")
    if not answer.is_success:
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        raise NotLoaded(str(problem.get("detail") or f"The service answers {answer.status_code}."))


_PATIENCE_SECONDS = 30.0
_NOT_SIGNED_IN = 401


def branches_of(directory_file: Path) -> list[BranchDescribed]:
    """The branches that a directory file describes.

    Raises:
        BadSettings: the file cannot be read, or an entry in it is wrong.
    """
    return [
        BranchDescribed(
            branch=entry.branch,
            name=entry.name,
            number_prefix=entry.number_prefix,
            time_zone=entry.time_zone,
            packs=entry.packs,
        )
        for entry in read_directory(directory_file).branches
    ]
