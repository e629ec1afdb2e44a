"""Settings of the intake process."""

from pydantic import Field

from shouwen.runtime.settings import ServiceSettings


class IntakeSettings(ServiceSettings):
    """What intake needs to know beside what every service does."""

    http_port: int = Field(8101, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
