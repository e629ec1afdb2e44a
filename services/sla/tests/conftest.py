"""The service on the real Kafka and the real PostgreSQL, with the branches of the evaluation."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from shouwen.embedded.testing import Infrastructure
from shouwen.runtime.testing import Grounds, Running, grounds
from shouwen.sla.app import create
from shouwen.sla.settings import SlaSettings

DIRECTORY = """\
branches:
  - {branch: beijing, name: 北京分公司, number_prefix: BJ, packs: [labour-dispatch, hr-licence]}
  - {branch: chengdu, name: 成都分公司, number_prefix: CD, packs: [talent-centre]}
  - {branch: shenzhen, name: 深圳分公司, number_prefix: SZ, packs: [insurer-head-office]}
"""


@pytest.fixture(scope="session")
def directory_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sla") / "directory.yaml"
    file.write_text(DIRECTORY, encoding="utf-8")
    return file


@pytest.fixture
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    """A database and streams of the test's own, for one replica or several."""
    async with grounds(infrastructure, "sla") as ground:
        yield ground


@pytest.fixture(scope="module")
async def sla(infrastructure: Infrastructure, directory_file: Path) -> AsyncIterator[Running]:
    """One running service for a module; its tests use subjects of their own."""
    async with (
        grounds(infrastructure, "sla") as ground,
        ground.running(
            create, SlaSettings, directory_file=directory_file, ticker_interval=timedelta(milliseconds=50)
        ) as one,
    ):
        yield one
