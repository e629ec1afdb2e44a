"""Settings of the review service; those of every service are in ``shouwen.runtime.settings``."""

from pydantic import Field

from shouwen.runtime.settings import ServiceSettings


class ReviewSettings(ServiceSettings):
    """What review needs to know."""

    http_port: int = Field(8104, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
