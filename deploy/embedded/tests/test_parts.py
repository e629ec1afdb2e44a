"""Mailbox, tokens, secrets, jars and processes, each by itself."""

import asyncio
import json
import mailbox
import os
import signal
import smtplib
import stat
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest

from shouwen.embedded import maven, topics
from shouwen.embedded.errors import LauncherError
from shouwen.embedded.home import State
from shouwen.embedded.mailbox import Mailbox
from shouwen.embedded.process import Process, own_environment
from shouwen.embedded.secrets import Secrets
from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.embedded.tokens import ISSUER, token, write_key_set
from shouwen.runtime.auth import Authenticator, FileKeys


def state(host: str = "127.0.0.1", *, evaluation: bool = True) -> State:
    return State("/home", 1, "now", host, ISSUER, evaluation, "127.0.0.1:9092", "", "postgresql:///")


async def test_evaluation_token_is_what_the_services_verify(tmp_path: Path) -> None:
    secrets, keys = Secrets(tmp_path), tmp_path / "jwks.json"
    write_key_set(secrets, keys)
    signed = token(state(), secrets, person="bj.clerk", name="王芳", branches=["beijing"], roles=["clerk"])
    principal = await Authenticator(FileKeys(keys), issuer=ISSUER, audience="shouwen").principal(signed)
    assert (principal.person, principal.name, principal.branches) == ("bj.clerk", "王芳", {"beijing"})
    assert '"d"' not in keys.read_text(), "only the public half is written for the services"


@pytest.mark.parametrize("place", [state("192.0.2.1"), state("::"), state(evaluation=False)])
def test_evaluation_token_is_refused_beyond_loopback(tmp_path: Path, place: State) -> None:
    with pytest.raises(LauncherError, match="loopback only"):
        token(place, Secrets(tmp_path), person="bj.clerk", branches=[], roles=[])


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    assert secrets.password("shouwen_sla_app") == Secrets(tmp_path).password("shouwen_sla_app")
    assert secrets.key_ring("intake") != secrets.key_ring("review")
    assert secrets.signing_key() == secrets.signing_key()
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_accepted_mail_is_one_file_per_message_and_counted(short_home: Path) -> None:
    receiver = Mailbox(short_home, free_port())
    receiver.start()
    try:
        receiver.wait_ready()
        for number in range(3):
            message = EmailMessage()
            message["Subject"] = f"时限提醒 {number}"
            message["To"] = "bj.clerk@example.com"
            message["Message-ID"] = f"<{number}@example.com>"
            message.set_content("请在今天 17:00 前回复。")
            with smtplib.SMTP("127.0.0.1", receiver.port) as client:
                client.send_message(message, from_addr="shouwen@example.com")
        kept = list(mailbox.Maildir(receiver.folder, create=False))
        assert sorted(message["Message-ID"] for message in kept) == [f"<{number}@example.com>" for number in range(3)]
        assert kept[0]["Delivered-To"] == "bj.clerk@example.com"
        assert receiver.received() == 3
        with smtplib.SMTP("127.0.0.1", receiver.port) as client, pytest.raises(smtplib.SMTPSenderRefused):
            client.ehlo()
            client.docmd("MAIL", "FROM:<a@example.com> SIZE=99999999")
            raise smtplib.SMTPSenderRefused(552, b"", "a@example.com")
    finally:
        receiver.stop()
    assert not receiver.process.running


async def test_topics_are_made_as_the_catalogue_says_and_making_them_again_changes_nothing(
    infrastructure: Infrastructure,
) -> None:
    made = await topics.create(infrastructure.kafka_bootstrap, "embedded-test.")
    assert {"embedded-test.case.v1", "embedded-test.directory.v1", "embedded-test.sla.dead"} <= set(made)
    assert await topics.create(infrastructure.kafka_bootstrap, "embedded-test.") == []


def test_every_jar_of_the_lock_is_fetched_by_its_digest(tmp_path: Path) -> None:
    jar = maven.locked("kafka")[0]
    wrong = tmp_path / jar.filename
    wrong.write_bytes(b"not a jar")
    with pytest.raises(ValueError, match="SHA-256"):
        maven._verify(wrong, jar)  # pyright: ignore[reportPrivateUsage]
    assert not [bundle for bundle in maven.WANTED if not maven.locked(bundle)]


def sleeper(home: Path, name: str = "sleeper") -> Process:
    return Process(name=name, marker=f"home={home}", log=home / "log", pid_file=home / "pid.json", stop_seconds=5)


def sleep(process: Process) -> list[str]:
    return [sys.executable, "-X", process.marker, "-c", "import time; time.sleep(600)"]


def test_pid_file_of_somebody_elses_process_is_not_believed(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        started = psutil.Process(other.pid).create_time()
        process = sleeper(tmp_path)
        process.pid_file.write_text(json.dumps({"pid": other.pid, "started": started}))
        assert process.leftover() is None, "its command line does not name the home"
        assert not process.stop_leftover()
        process.pid_file.write_text(json.dumps({"pid": os.getpid(), "started": started - 500}))
        assert process.leftover() is None, "it started at another time"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_leftover_of_a_killed_launcher_is_stopped(tmp_path: Path) -> None:
    first = sleeper(tmp_path)
    first.start(sleep(first), own_environment())
    again = Process.noted(tmp_path, first.pid_file)
    assert again
    assert again.stop_leftover()
    assert not first.running
    assert first.exit_code == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's tie exists on Linux alone")
def test_server_started_from_a_short_lived_thread_outlives_the_thread(tmp_path: Path) -> None:
    process = sleeper(tmp_path)

    async def start_elsewhere() -> None:
        await asyncio.to_thread(process.start, sleep(process), own_environment())

    asyncio.run(start_elsewhere())  # its pool of threads ends here
    try:
        assert process.running
    finally:
        process.stop()
    assert not process.running
