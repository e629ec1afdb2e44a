"""The settings of notify, beside those that every service has."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shouwen.runtime.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """How notify reaches people."""

    http_port: int = Field(8103, ge=0, le=65535, description="Port to listen on; 0 takes a free one")

    smtp_host: str | None = Field(
        None, description="Mail server; without it no e-mail is sent and people are told in their inbox only"
    )
    smtp_port: int = Field(25, ge=1, le=65535, description="Port of the mail server")
    smtp_username: str | None = Field(None, description="User at the mail server; needs SHOUWEN_SMTP_STARTTLS")
    smtp_password: SecretStr | None = Field(None, description="Password at the mail server")
    smtp_starttls: bool = Field(
        False, description="Whether the connection must be encrypted (STARTTLS, certificate verified) before anything"
    )
    smtp_timeout: timedelta = Field(
        timedelta(seconds=10),
        gt=timedelta(0),
        description="Longest time to reach the mail server, and again to hand a message over, in seconds",
    )
    mail_from: str = Field(
        "shouwen@localhost",
        pattern=r"^[^@\s<>]+@[^@\s<>]+$",
        max_length=254,
        description="Sender address of e-mails; its domain is also that of their Message-ID",
    )
    mailbox_dir: Path | None = Field(
        None, description="Evaluation only: Maildir of the local mail receiver, shown by GET /api/mailbox"
    )

    sender_tasks: int = Field(2, ge=1, le=50, description="E-mails on their way at the same time")
    sender_interval: timedelta = Field(
        timedelta(milliseconds=200), gt=timedelta(0), description="How often due e-mails are looked for, in seconds"
    )
    retry_first: timedelta = Field(
        timedelta(seconds=5), gt=timedelta(0), description="Pause after a first temporary failure; doubles each time"
    )
    retry_most: timedelta = Field(
        timedelta(hours=1), gt=timedelta(0), description="Longest pause between two attempts, in seconds"
    )
    retry_total: timedelta = Field(
        timedelta(hours=24), description="After this long a temporary failure counts as permanent, in seconds"
    )

    intake_url: str = Field(
        "http://127.0.0.1:8101",
        pattern=r"^https?://",
        description="Address of intake as people reach it, for the links in messages",
    )
    sla_url: str = Field(
        "http://127.0.0.1:8102",
        pattern=r"^https?://",
        description="Address of sla as people reach it, for links to clocks of other systems' subjects",
    )

    @model_validator(mode="after")
    def _password_travels_encrypted(self) -> Self:
        if self.smtp_username is not None and (self.smtp_password is None or not self.smtp_starttls):
            raise ValueError("SHOUWEN_SMTP_USERNAME needs SHOUWEN_SMTP_PASSWORD and SHOUWEN_SMTP_STARTTLS=true")
        return self
