"""Apache Kafka 4.3: one KRaft node on loopback, on the wheel's Java runtime."""

import json
import logging
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from shouwen.embedded import asynchronous
from shouwen.embedded.errors import LauncherError
from shouwen.embedded.java import SMALL, class_path, java
from shouwen.embedded.maven import Say, jars
from shouwen.embedded.process import Process, own_environment, tethered

READY_SECONDS = 180.0  # seconds on an idle machine; a busy one needs patience
HEAP = "-Xmx256m"


class Kafka:
    """The broker of one home."""

    def __init__(self, home: Path, port: int, controller_port: int, say: Say) -> None:
        self.home = home
        self.port = port
        self.controller_port = controller_port
        self._say = say
        self.data = home / "kafka"
        self._properties = home / "run" / "kafka.properties"
        self._logging = home / "run" / "kafka-log4j2.yaml"
        self.process = Process(
            name="kafka",
            marker=str(self._properties),
            log=home / "logs" / "kafka.log",
            pid_file=home / "run" / "kafka.json",
            death_signal=signal.SIGTERM,
            stop_seconds=30,
        )

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"127.0.0.1:{self.port}"

    def class_path(self) -> str:
        """The broker's jars, which also hold Kafka's own command-line tools."""
        return class_path(jars("kafka", self._say))

    def start(self) -> None:
        """Start the broker, after formatting its storage in a new home; does not wait."""
        path = self.class_path()
        self.process.stop_leftover()
        self._configure()
        if not (self.data / "meta.properties").exists():
            self._format(path)
        options = [HEAP, *SMALL, f"-Dlog4j2.configurationFile={self._logging}"]
        command = [java(), *options, "-cp", path, "kafka.Kafka", str(self._properties)]
        self.process.start(command, own_environment())

    def wait_ready(self) -> None:
        """Wait until the broker answers and may take topics."""
        self.process.wait_ready(self._is_ready, READY_SECONDS, every=0.1)

    def stop(self) -> None:
        """Stop the broker cleanly."""
        self.process.stop()

    def kill(self) -> None:
        """SIGKILL the broker."""
        self.process.kill()

    def restart(self) -> None:
        """Stop cleanly, start, and wait until the broker answers."""
        self.stop()
        self.start()
        self.wait_ready()

    def _is_ready(self) -> bool:
        with socket.socket() as probe:  # cheap, so that waiting takes nothing from the start
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        return asynchronous.run(answers(self.bootstrap))

    def _configure(self) -> None:
        self._properties.parent.mkdir(parents=True, exist_ok=True)
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.data),
            "num.partitions": "6",
            "auto.create.topics.enable": "false",
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "10",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.retention.hours": "168",
            "log.segment.bytes": str(64 * 1024 * 1024),
            "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
            # A killed broker may register again only when its old session is over.
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "1000",
            "metrics.num.samples": "1",
        }
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        self._logging.write_text(
            json.dumps(
                {
                    "Configuration": {
                        "status": "warn",
                        "Appenders": {
                            "Console": {
                                "name": "out",
                                "target": "SYSTEM_OUT",
                                "PatternLayout": {"pattern": "%d{ISO8601} %-5p %c{1}: %m%n"},
                            }
                        },
                        "Loggers": {
                            "Root": {"level": "warn", "AppenderRef": {"ref": "out"}},
                            "Logger": [{"name": "kafka.server.KafkaRaftServer", "level": "info"}],
                        },
                    }
                }
            )  # JSON is YAML, and log4j reads YAML by the file's ending
        )

    def _format(self, path: str) -> None:
        from uuid import uuid4

        if self.data.exists():  # a format that was cut short
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700, parents=True)
        # Joined by "=" below: one id in 64 begins with a dash and would else be taken for an option.
        cluster = _kafka_uuid(uuid4().bytes)
        tool = [java(), *SMALL, f"-Dlog4j2.configurationFile={self._logging}", "-cp", path, "kafka.tools.StorageTool"]
        done = subprocess.run(
            tethered(
                [*tool, "format", f"--cluster-id={cluster}", "--config", str(self._properties)],
                death_signal=signal.SIGKILL,
            ),
            env=own_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise LauncherError(
                f"Kafka could not format {self.data}: {(done.stderr or done.stdout).strip()[-800:]}",
                "Choose another folder with --home, or use a broker that runs already: --kafka HOST:PORT",
            )


def _kafka_uuid(value: bytes) -> str:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(value).decode().rstrip("=")


async def answers(bootstrap: str) -> bool:
    """Whether a broker at the address answers and is registered with its controller."""
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a refused connection is expected while it starts
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    try:
        await client.start()
        cluster = await client.describe_cluster()
        return bool(cluster["brokers"])
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()
        logging.getLogger("aiokafka").setLevel(logging.NOTSET)
