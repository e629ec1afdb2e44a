"""The settings of review, beside those that every service has."""

from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from shouwen.runtime.settings import ServiceSettings


class ReviewSettings(ServiceSettings):
    """How review works."""

    http_port: int = Field(8104, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    time_zone: str = Field("Asia/Shanghai", description="IANA zone in which a day and the year of a form number begin")

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone; give an IANA name, as Asia/Shanghai") from None
        return value
