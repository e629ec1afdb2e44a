"""The short way of a registration through the service and the usual one give the same answers."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from shouwen.runtime.testing import Running

Body = dict[str, Any]


async def test_a_registration_is_answered_alike_whichever_way_it_takes_through_the_service(
    intake: Running, matter: Callable[..., Body]
) -> None:
    """The route itself answers what is wrong, and requests in an unusual but right form."""
    headers = intake.token("bj.clerk") | {"Idempotency-Key": str(uuid4())}
    usual = await intake.http.post("/api/cases", json=matter(), headers=headers)
    unusual = headers | {"Authorization": headers["Authorization"].replace("Bearer", "bearer")}
    again = await intake.http.post("/api/cases", json=matter(), headers=unusual)
    assert (usual.status_code, again.status_code) == (201, 200)
    assert usual.json() == again.json()
    assert usual.headers["content-type"] == again.headers["content-type"]
    wrong: list[tuple[dict[str, str], bytes, int]] = [
        (headers | {"Content-Type": "text/plain"}, json.dumps(matter()).encode(), 422),
        (headers | {"Content-Type": "application/json"}, b"{", 422),
        (headers | {"Content-Type": "application/json", "Idempotency-Key": "a b"}, json.dumps(matter()).encode(), 422),
        (
            headers | {"Content-Type": "application/json", "Authorization": "Bearer x"},
            json.dumps(matter()).encode(),
            401,
        ),
        ({"Content-Type": "application/json", "Idempotency-Key": "x"}, json.dumps(matter()).encode(), 401),
        (headers | {"Content-Type": "application/json"}, b" " * 1_100_000, 413),
        (headers | {"Content-Type": "application/json"}, json.dumps(matter(branch="nowhere")).encode(), 403),
    ]
    for sent, body, status in wrong:
        answer = await intake.http.post("/api/cases", content=body, headers=sent)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]
