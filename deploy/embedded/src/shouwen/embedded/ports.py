"""Which port each server listens on, and a clear word when one is taken."""

import socket
from dataclasses import asdict, dataclass, fields

import psutil

from shouwen.embedded.errors import LauncherError

HIGHEST_BASE = 65500


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on loopback; PostgreSQL needs none."""

    intake: int = 8101
    sla: int = 8102
    notify: int = 8103
    review: int = 8104
    mailbox: int = 8105
    zipkin: int = 9411
    kafka: int = 9092
    kafka_controller: int = 9093

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """All ports moved: base+1 to base+4 the services, +5 mailbox, +6 Zipkin, +7 Kafka, +8 its controller."""
        if not 1024 <= base <= HIGHEST_BASE:
            raise LauncherError(f"--port-base {base} is out of range", f"Choose one from 1024 to {HIGHEST_BASE}")
        return cls(*(base + number for number in range(1, len(fields(cls)) + 1)))

    @classmethod
    def free(cls) -> "Ports":
        """Ports nobody listens on now (tests)."""
        held = [socket.socket() for _ in fields(cls)]
        try:
            for one in held:
                one.bind(("127.0.0.1", 0))
            return cls(*(one.getsockname()[1] for one in held))
        finally:
            for one in held:
                one.close()

    def of(self, name: str) -> int:
        """Port of a server by its name."""
        return asdict(self)[name]


def require_free(ports: Ports, names: list[str], host: str) -> None:
    """Raise LauncherError naming each taken port, whose it would be, and who has it."""
    taken = [name for name in names if not _is_free(host, ports.of(name))]
    if not taken:
        return
    said = "; ".join(f"port {ports.of(name)} for {name} is taken{_holder(ports.of(name))}" for name in taken)
    raise LauncherError(
        f"{said[0].upper()}{said[1:]}",
        "Stop what uses it, or move all ports with --port-base N, as --port-base 18100",
    )


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for a server
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and getattr(connection.laddr, "port", None) == port
                and connection.pid
            ):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass  # other users' sockets may be hidden
    return ""
