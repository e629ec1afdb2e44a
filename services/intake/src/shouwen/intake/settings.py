"""Settings of the intake process."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

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
    handover_time: timedelta = Field(
        timedelta(hours=4),
        gt=timedelta(0),
        le=timedelta(days=30),
        description="How long the receiver of a hand-over may take to accept or return it, in seconds",
    )
    ticker_interval: timedelta = Field(
        timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(minutes=10),
        description="How often hand-overs that nobody answered, and waits that are over, are looked for, in seconds",
    )
    public_url: str = Field(
        "http://127.0.0.1:8101",
        pattern=r"^https?://[^\s?#]+$",
        description="Where requesters reach this service: links in messages to them begin so",
    )
    survey_valid_for: timedelta = Field(
        timedelta(days=30), gt=timedelta(0), description="How long the link of a survey works, in seconds"
    )
    survey_after_end: bool = Field(
        False,
        description="Whether a requester who left an e-mail address is asked by itself when their case ends",
    )
    public_window: timedelta = Field(
        timedelta(minutes=15),
        ge=timedelta(seconds=1),
        description="The time in which requests of the public are counted, in seconds",
    )
    public_attempts_per_address: int = Field(
        60, ge=1, description="Requests of the public from one network address in that time, at most"
    )
    public_attempts_per_number: int = Field(
        20, ge=1, description="Requests for one case number without its code in that time, at most"
    )
    progress_names_contact: bool = Field(
        True, description="Whether a requester who looks the progress up is told who answers for it, by name"
    )
    mail_addresses: dict[str, str] = Field(
        {},
        description='Which branch mail to an address is for, as JSON: {"bj@example.com": "beijing", "*": "beijing"}; '
        "* stands for all other addresses; mail to an address that is not here waits for the operator",
    )
    first_asked: dict[str, str] = Field(
        {},
        description='Who is responsible first for what comes by mail or web form, as JSON: {"beijing": "bj.clerk"}; '
        "where a branch is not here its coordinator, else a manager",
    )
    web_forms: bool = Field(False, description="Whether the public may hand in matters by the web form")
    web_form_least: timedelta = Field(
        timedelta(seconds=4),
        ge=timedelta(0),
        description="A web form that comes back faster was not filled in by a person, in seconds",
    )
    imap_host: str | None = Field(None, description="Mail server whose mailbox is read; without it none is")
    imap_port: int = Field(993, ge=1, le=65535, description="Port of that server")
    imap_security: Literal["tls", "starttls", "none"] = Field("tls", description="How that server is spoken to")
    imap_username: str = Field("", description="Account of that mailbox")
    imap_password: SecretStr = Field(SecretStr(""), description="Password of that account")
    imap_folder: str = Field("INBOX", min_length=1, description="Folder in which mail comes in")
    imap_done_folder: str = Field("Shouwen", min_length=1, description="Folder to which a mail is moved when taken in")
    imap_every: timedelta = Field(
        timedelta(seconds=30), ge=timedelta(milliseconds=100), description="Pause between two looks, in seconds"
    )

    @model_validator(mode="after")
    def _keeps_its_mail(self) -> Self:
        if self.attachments_url is None and (self.mail_addresses or self.imap_host is not None):
            raise ValueError("mail needs SHOUWEN_ATTACHMENTS_URL: it is kept as it came")
        if self.imap_host is not None and not (self.imap_username and self.imap_password.get_secret_value()):
            raise ValueError("SHOUWEN_IMAP_HOST needs SHOUWEN_IMAP_USERNAME and SHOUWEN_IMAP_PASSWORD")
        return self
