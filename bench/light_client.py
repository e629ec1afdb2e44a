"""An HTTP client that costs little beside what it measures: prepared requests over kept connections.

A usual client takes longer for a request than the service that answers it, and shares the machine's cores with it.
Run as a process of its own: ``python -m bench.light_client FILE``; the file says what to send, one JSON object a line.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back: seconds from the first request to the last answer, of each request, and other statuses."""

    seconds: float
    each: Sequence[float]
    unexpected: int


def request(method: str, path: str, headers: dict[str, str], body: bytes, *, host: str = "127.0.0.1") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def send(ports: Sequence[int], requests: Sequence[bytes], *, concurrency: int, expected: int) -> Answers:
    """Send all requests over so many connections, each as soon as the one before it was answered.

    Args:
        ports: of the servers, which get connections in turn, as a load balancer gives them.
        requests: what is sent.
        concurrency: connections.
        expected: the right status.
    """
    each: list[float] = []
    unexpected = 0
    queue: Iterator[bytes] = iter(requests)
    begun = perf_counter()

    async def connection(port: int) -> None:
        nonlocal unexpected
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for one in queue:
                start = perf_counter()
                writer.write(one)
                head = await reader.readuntil(b"\r\n\r\n")
                await _body(reader, head)
                each.append(perf_counter() - start)
                unexpected += int(head[9:12]) != expected
                if b"connection: close" in head.lower():
                    writer.close()
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
        finally:
            writer.close()

    await asyncio.gather(*(connection(ports[place % len(ports)]) for place in range(concurrency)))
    return Answers(perf_counter() - begun, each, unexpected)


async def _body(reader: asyncio.StreamReader, head: bytes) -> None:
    lines = head.lower().split(b"\r\n")
    for line in lines:
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
            return
    if b"transfer-encoding: chunked" in lines:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()


def main(file: Path) -> None:
    """Send what the file says, and print what came back as JSON."""
    asked: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    requests = [
        request(asked["method"], asked["path"], {**asked["headers"], **one.get("headers", {})}, one["body"].encode())
        for one in asked["requests"]
    ]
    answers = asyncio.run(send(asked["ports"], requests, concurrency=asked["concurrency"], expected=asked["expected"]))
    json.dump({"seconds": answers.seconds, "each": answers.each, "unexpected": answers.unexpected}, sys.stdout)


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.install()
    except ImportError:
        pass
    main(Path(sys.argv[1]))
