"""Settings of the sla service."""

from datetime import timedelta

from pydantic import Field

from shouwen.runtime.settings import ServiceSettings


class SlaSettings(ServiceSettings):
    """What sla needs to know beside what every service does."""

    http_port: int = Field(8102, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    ticker_interval: timedelta = Field(
        timedelta(milliseconds=500),
        gt=timedelta(0),
        le=timedelta(minutes=1),
        description="Longest time until the ticker notices a clock that was armed meanwhile, in seconds",
    )
    ticker_batch: int = Field(1000, ge=1, le=10_000, description="Firings in one transaction, at most")
