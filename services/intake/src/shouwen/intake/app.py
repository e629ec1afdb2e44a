"""Intake, put together."""

from pathlib import Path

import structlog
import yaml
from pydantic import ValidationError

from shouwen.contracts.directory import DirectoryFile
from shouwen.intake import http
from shouwen.intake.gateways.files import Files
from shouwen.intake.handlers import directory, search
from shouwen.intake.http import attachments, bulk
from shouwen.intake.http.channels import Channels
from shouwen.intake.settings import IntakeSettings
from shouwen.intake.store.protection import Protection
from shouwen.intake.subscribers import subscriptions
from shouwen.runtime.errors import FieldProblem
from shouwen.runtime.http import allow_longer_bodies, field_problem
from shouwen.runtime.service import Service
from shouwen.runtime.settings import BadSettings

_log = structlog.stdlib.get_logger("shouwen.intake")


def create(settings: IntakeSettings) -> Service:
    """The service. The directory file, if one is set, is read now and loaded at the start.

    Raises:
        BadSettings: the directory file cannot be read or is wrong.
    """
    service = Service("intake", settings)
    protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
    service.hears(subscriptions())
    files = None if settings.attachments_url is None else Files(settings.attachments_url)
    channels = Channels(files=files, attachment_limit=settings.attachment_limit)
    service.serves(http.routes(service.work, protection, channels))
    allow_longer_bodies(service.app, bulk.PATH, bulk.TABLE_BYTES)
    allow_longer_bodies(service.app, attachments.PATH, settings.attachment_limit + attachments.FORM_BYTES)
    if settings.directory_file is not None:
        file = read_directory(settings.directory_file)

        async def load_directory() -> None:
            async with service.work.as_worker() as tx:
                changed = await directory.load_directory(tx, file, protection=protection)
            _log.info("directory loaded", branches=len(changed.branches), persons=len(changed.persons))

        service.prepares(load_directory)

    async def index_texts() -> None:
        added = await search.index_texts(service.work, protection)
        _log.info("texts can be searched", added=added)

    service.runs("index texts", index_texts)
    return service


def read_directory(path: Path) -> DirectoryFile:
    """The directory file.

    Raises:
        BadSettings: there is none, it is not YAML, or an entry is wrong; the text names the entry.
    """
    try:
        content: object = yaml.safe_load(path.read_text(encoding="utf-8"))
        return DirectoryFile.model_validate(content)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise _bad_directory(FieldProblem(_SETTING, problem, "Give the path of a file.")) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise _bad_directory(FieldProblem(_SETTING, "is not YAML in UTF-8", "Correct the file.")) from None
    except ValidationError as error:
        found = [field_problem(dict(each)) for each in error.errors(include_url=False, include_input=False)]
        raise _bad_directory(
            *(FieldProblem(f"{_SETTING} {each.field}", each.problem, each.remedy) for each in found)
        ) from None


_SETTING = "SHOUWEN_DIRECTORY_FILE"


def _bad_directory(*problems: FieldProblem) -> BadSettings:
    return BadSettings(problems)
