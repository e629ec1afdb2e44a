"""What an operator asks every service: is it alive, is it ready, how far is it, what did it set aside."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from shouwen.runtime import metrics, outbox
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import ShouwenError
from shouwen.runtime.http import Page, problem_response
from shouwen.runtime.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from shouwen.runtime.errors import FieldProblem
    from shouwen.runtime.service import Service

OPERATOR = "operator"


class Healthy(BaseModel):
    """All is well."""

    status: str = "ok"
    service: str


class PartitionProgress(BaseModel):
    """How far the service is in one partition."""

    partition: int
    position: int = Field(description="Offset of the next record it handles")
    end: int = Field(description="Offset after the last record")
    lag: int = Field(description="Records not yet handled")


class StreamProgress(BaseModel):
    """How far the service is in one stream it hears, as far as this process holds its partitions."""

    stream: str
    lag: int
    partitions: list[PartitionProgress]


class Streams(Page[StreamProgress]):
    """Streams heard, and what waits to go out."""

    outbox_pending: int = Field(description="Events committed but not yet sent")
    outbox_oldest_age_seconds: float = Field(description="Age of the oldest of them, in seconds; 0 when there is none")
    dead_letters: int = Field(description="Records set aside and not replayed")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the database: for the relay, and for a person."""

    pending: int
    oldest_age_seconds: float
    dead_letters: int


async def backlog(work: UnitOfWork) -> Backlog:
    """Read the backlog.

    Raises:
        DatabaseUnavailable: the database does not answer.
    """
    async with work.as_worker() as tx:
        row = await tx.fetch_one(outbox.QUERIES.outgoing_backlog)
        dead = await tx.fetch_value(outbox.QUERIES.count_dead_letters)
    assert row is not None
    age = (row["now"] - row["oldest"]).total_seconds() if row["oldest"] is not None else 0.0
    return Backlog(row["pending"], max(age, 0.0), dead)


def routes(service: "Service") -> APIRouter:
    """The routes every service has."""
    router = APIRouter()

    @router.get("/health/live", tags=["health"], response_model=Healthy)
    async def live() -> Response:
        """503 when only a restart can help: a consumer stands still while its lag grows, or a task fails for good."""
        return _health(service.name, "This process needs a restart.", service.dead())

    @router.get("/health/ready", tags=["health"], response_model=Healthy)
    async def ready() -> Response:
        """503 with the reasons while the service cannot do its work."""
        return _health(service.name, "This service is not ready.", await service.unready())

    @router.get("/metrics", include_in_schema=False)
    async def measures() -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    @router.get("/api/streams", tags=["operations"])
    async def streams(caller: Caller) -> Streams:
        """How far this process is in each stream it hears, and what waits to go out."""
        if not caller.sees_all:
            caller.require_role(OPERATOR, "group_admin", "group_auditor")
        waiting = await backlog(service.work)
        progress: dict[str, list[PartitionProgress]] = {name: [] for name in service.subscriptions.streams}
        for each in await service.positions():
            partition = PartitionProgress(partition=each.partition, position=each.position, end=each.end, lag=each.lag)
            progress.setdefault(each.stream, []).append(partition)
        return Streams(
            items=[
                StreamProgress(stream=stream, lag=sum(each.lag for each in parts), partitions=parts)
                for stream, parts in progress.items()
            ],
            outbox_pending=waiting.pending,
            outbox_oldest_age_seconds=waiting.oldest_age_seconds,
            dead_letters=waiting.dead_letters,
        )

    return router


class NotWell(ShouwenError):
    """The service is not well."""

    status = 503
    title = "Not healthy"

    def __init__(self, detail: str, problems: "list[FieldProblem]") -> None:
        super().__init__(detail)
        self._problems = tuple(problems)

    @property
    def problems(self) -> "tuple[FieldProblem, ...]":
        return self._problems


def _health(service: str, detail: str, problems: "list[FieldProblem]") -> Response:
    if problems:
        return problem_response(NotWell(detail, problems))
    return JSONResponse(Healthy(service=service).model_dump())
