"""The directory as a file, for services that have to know branches and persons before the stream tells them."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from shouwen.contracts.directory import DirectoryFile
from shouwen.runtime.errors import FieldProblem
from shouwen.runtime.http import field_problem
from shouwen.runtime.settings import BadSettings

_SETTING = "SHOUWEN_DIRECTORY_FILE"


def read_directory(path: Path) -> DirectoryFile:
    """The directory file.

    Raises:
        BadSettings: there is none, it is not YAML, or an entry is wrong; the text names the entry, never a value.
    """
    try:
        return DirectoryFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = FieldProblem(_SETTING, f"cannot be read ({error.strerror})", "Give the path of a file.")
        raise BadSettings((problem,)) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadSettings((FieldProblem(_SETTING, "is not YAML in UTF-8", "Correct the file."),)) from None
    except ValidationError as error:
        found = [field_problem(dict(each)) for each in error.errors(include_url=False, include_input=False)]
        problems = (FieldProblem(f"{_SETTING} {each.field}", each.problem, each.remedy) for each in found)
        raise BadSettings(tuple(problems)) from None
