"""A notify service that runs, and the mail server it writes to."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mail_receiver import Receiver

from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.notify.app import create
from shouwen.notify.settings import NotifySettings
from shouwen.runtime.testing import Running, running

Settings = Callable[..., dict[str, Any]]

DIRECTORY = """
branches:
  - {branch: beijing, name: 北京分公司, number_prefix: BJ, time_zone: Asia/Shanghai}
  - {branch: chengdu, name: 成都人才交流中心, number_prefix: CD, time_zone: Asia/Shanghai}
persons:
  - {person: bj.clerk, name: 王芳, branch: beijing, roles: [clerk], email: bj.clerk@example.com}
  - {person: bj.clerk2, name: 李建国, branch: beijing, roles: [clerk]}
  - {person: bj.manager, name: 张伟, branch: beijing, roles: [manager], email: bj.manager@example.com}
  - {person: bj.general, name: 刘志强, branch: beijing, roles: [general_manager], email: bj.general@example.com}
  - {person: cd.manager, name: 罗建华, branch: chengdu, roles: [manager, clerk], email: cd.manager@example.com}
"""


@pytest.fixture(scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver(free_port())
    await one.start()
    yield one
    await one.stop()


@pytest.fixture(scope="session")
def directory_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("directory") / "directory.yaml"
    path.write_text(DIRECTORY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
async def notify(infrastructure: Infrastructure, receiver: Receiver, settings: Settings) -> AsyncIterator[Running]:
    async with running(create, NotifySettings, infrastructure, **settings(receiver)) as one:
        yield one


@pytest.fixture(scope="session")
def settings(directory_file: Path) -> Settings:
    """The settings of a notify service that writes to this receiver."""

    def make(receiver: Receiver, **other: Any) -> dict[str, Any]:
        return {
            "directory_file": directory_file,
            "smtp_host": "127.0.0.1",
            "smtp_port": receiver.port,
            "mail_from": "shouwen@example.com",
            "sender_interval": 0.05,
            "retry_first": 0.1,
            **other,
        }

    return make
