"""Settings of the intake process."""

from pydantic import Field

from shouwen.runtime.settings import ServiceSettings


class IntakeSettings(ServiceSettings):
    """What intake needs to know beside what every service does."""

    http_port: int = Field(8101, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    attachments_url: str | None = Field(
        None,
        description="Where files of cases and mails as they came are kept, encrypted: file:///folder or "
        "s3://bucket/folder (credentials as AWS_*); without it none are taken",
    )
    attachment_limit: int = Field(
        20_000_000, ge=1_000, le=200_000_000, description="The longest file with a case, in bytes"
    )
