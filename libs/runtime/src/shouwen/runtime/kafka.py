"""How a service reaches Kafka, for FastStream (in) and aiokafka (out) alike."""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any

from aiokafka.helpers import create_ssl_context
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shouwen.runtime.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    """The brokers, how to sign in, and the prefix of this installation's topics and groups."""

    bootstrap: str
    prefix: str = ""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    cafile: Path | None = None

    @classmethod
    def of(cls, settings: ServiceSettings) -> "KafkaCluster":
        """The cluster that the settings name."""
        password = settings.kafka_sasl_password
        return cls(
            bootstrap=settings.kafka_bootstrap,
            prefix=settings.stream_prefix,
            security_protocol=settings.kafka_security_protocol,
            sasl_mechanism=settings.kafka_sasl_mechanism,
            username=settings.kafka_sasl_username,
            password=password.get_secret_value() if password else None,
            cafile=settings.kafka_ssl_cafile,
        )

    def topic(self, stream: str) -> str:
        """The Kafka topic of a stream."""
        return self.prefix + stream

    def stream(self, topic: str) -> str:
        """The stream of a Kafka topic."""
        return topic.removeprefix(self.prefix)

    def group(self, service: str) -> str:
        """The consumer group of a service."""
        return self.prefix + service

    def client_options(self) -> dict[str, Any]:
        """Options of any aiokafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "ssl_context": self._ssl_context(),
        }
        if self.sasl_mechanism:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options

    def security(self) -> BaseSecurity:
        """The same for FastStream."""
        context = self._ssl_context()
        mechanisms = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
        if self.sasl_mechanism:
            kind = mechanisms[self.sasl_mechanism]
            return kind(username=self.username or "", password=self.password or "", ssl_context=context)
        return BaseSecurity(ssl_context=context)

    def _ssl_context(self) -> SSLContext | None:
        if not self.security_protocol.endswith("SSL"):
            return None
        return create_ssl_context(cafile=str(self.cafile) if self.cafile else None)


class OncePerInterval(logging.Filter):
    """Lets one line of each kind pass per interval, and says how many it has kept back.

    aiokafka writes about a hundred lines a second while a broker is down.
    """

    def __init__(self, seconds: float = 10.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._kinds: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, record.levelno, str(record.msg)[:80])
        passed_at, kept_back = self._kinds.get(kind, (float("-inf"), 0))
        now = time.monotonic()
        if now - passed_at < self._seconds:
            self._kinds[kind] = (passed_at, kept_back + 1)
            return False
        if kept_back:
            record.msg = f"{record.msg} ({kept_back} more like this were kept back)"
        self._kinds[kind] = (now, 0)
        return True


_quiet = OncePerInterval()


def quiet_client_logs() -> None:
    """Rate-limit what aiokafka logs. Its modules log by themselves, so each of their loggers gets the filter."""
    for name in list(logging.root.manager.loggerDict):
        if name == "aiokafka" or name.startswith("aiokafka."):
            logger = logging.getLogger(name)
            if _quiet not in logger.filters:
                logger.addFilter(_quiet)
