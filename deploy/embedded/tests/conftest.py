"""What the launcher's tests share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A temporary folder with a short name that other accounts may pass, as a home needs when root starts it."""
    folder = Path(tempfile.mkdtemp(prefix="shouwen-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
