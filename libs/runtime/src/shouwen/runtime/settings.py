"""Settings of a service process: environment variables ``SHOUWEN_*``, or files of those names in a secrets folder.

Each setting has a unit and a meaning. Secrets may come from files (``SHOUWEN_SECRETS_DIR``), so that they need not
stand in the environment; a file is named as its variable: ``SHOUWEN_DATABASE_URL`` or ``shouwen_database_url``.
Tracing is set by the standard ``OTEL_*`` variables, which ``shouwen.runtime.telemetry`` reads.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from shouwen.runtime.errors import FieldProblem, ShouwenError
from shouwen.runtime.privacy import BadKey, KeyRing, read_key

PREFIX = "SHOUWEN_"
SECRETS_DIR = "SHOUWEN_SECRETS_DIR"


class BadSettings(ShouwenError):
    """A setting is missing or wrong. The text names each variable and the remedy, never a value."""

    title: ClassVar[str] = "Bad settings"

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        self._problems = problems
        lines = [f"  {each.field}: {each.problem}. {each.remedy}" for each in problems]
        super().__init__("\n".join(["The service cannot start with these settings:", *lines]))

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        return self._problems


class ServiceSettings(BaseSettings):
    """What every service needs to know. A service subclasses it and sets its own ``http_port`` default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Kafka brokers as host:port, separated by commas")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How the brokers are spoken to"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="SASL mechanism, when the protocol is SASL_*"
    )
    kafka_sasl_username: str | None = Field(None, description="SASL user")
    kafka_sasl_password: SecretStr | None = Field(None, description="SASL password")
    kafka_ssl_cafile: Path | None = Field(
        None, description="PEM file of the authority that signed the brokers' certificates; default: the system's"
    )
    stream_prefix: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,80}$",
        description="Put before every topic and consumer group, so that several installations can share a cluster",
    )

    database_url: SecretStr = Field(description="PostgreSQL URL of the app role, which serves requests of people")
    worker_database_url: SecretStr = Field(description="PostgreSQL URL of the worker role, which handles events")
    migration_database_url: SecretStr | None = Field(
        None, description="PostgreSQL URL of the owner role; when set, migrations run at the start"
    )
    database_pool_size: int = Field(8, ge=1, le=200, description="Connections per role, at most")
    database_command_timeout: timedelta = Field(
        timedelta(seconds=30), description="Longest time one statement may take, in seconds"
    )

    consumer_batch_size: int = Field(
        1000, ge=1, le=5000, description="Records handled in one database transaction, at most"
    )

    http_host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 listens on all")
    http_port: int = Field(8100, ge=0, le=65535, description="Port to listen on; 0 takes a free one")

    trusted_proxies: str = Field(
        "127.0.0.1",
        description="Addresses of reverse proxies, separated by commas, whose X-Forwarded-For says who is calling; "
        "* believes everybody",
    )

    oidc_issuer: str = Field(description="Issuer ('iss') that bearer tokens must name")
    oidc_audience: str = Field("shouwen", description="Audience ('aud') that bearer tokens must name")
    oidc_jwks_url: str | None = Field(None, description="URL of the issuer's key set (JWKS)")
    oidc_jwks_file: Path | None = Field(None, description="File with the issuer's key set, instead of the URL")
    oidc_leeway: timedelta = Field(
        timedelta(seconds=30), description="Tolerated difference of the clocks of issuer and service, in seconds"
    )

    privacy_keys: SecretStr = Field(
        description="Key ring for encrypted fields as 'id:base64,id:base64' (16, 24 or 32 bytes each); first is current"
    )
    privacy_hash_key: SecretStr = Field(description="Key for keyed hashes, base64, at least 16 bytes")
    seal_key: SecretStr = Field(description="Key for data sealed to one service, base64, 32 bytes")

    directory_file: Path | None = Field(None, description="YAML file of branches and persons (intake, sla, notify)")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged")
    stop_timeout: timedelta = Field(
        timedelta(seconds=20), description="Longest graceful stop, in seconds; what runs then is cancelled"
    )
    startup_patience: timedelta = Field(
        timedelta(0), description="How long the start may wait for the database, in seconds; 0 waits without end"
    )
    standstill: timedelta = Field(
        timedelta(seconds=60),
        description="Liveness fails when a consumer's position stands still this long while its lag grows, in seconds",
    )
    failpoint: str | None = Field(None, description="Tests only: NAME@N kills the process at the Nth passage of NAME")

    def __init__(self, **values: Any) -> None:
        """Read the settings; ``values`` go before files and environment.

        Raises:
            BadSettings: one or more are missing or wrong.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise BadSettings(tuple(_problems(type(self), error))) from None
        except SettingsError as error:
            # A mapping that is not JSON; the text names the field and the source, never the value.
            name = next((each for each in type(self).model_fields if f'"{each}"' in str(error)), "settings")
            problem = FieldProblem(variable(name), "is not JSON", 'Give an object, as {"name": "value"}.')
            raise BadSettings((problem,)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: arguments, environment, files of the secrets folder."""
        folder = os.environ.get(SECRETS_DIR)
        if not folder:
            return init_settings, env_settings
        if not Path(folder).is_dir():
            problem = FieldProblem(SECRETS_DIR, "the folder does not exist", "Create it or unset the variable")
            raise BadSettings((problem,))
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder)

    @field_validator("*", mode="before")
    @classmethod
    def _takes_plain_seconds(cls, value: object, info: ValidationInfo) -> object:
        """A duration may be given as a number of seconds; pydantic itself takes only ISO 8601 from a text."""
        field = cls.model_fields.get(info.field_name or "")
        if field is None or field.annotation is not timedelta or not isinstance(value, str):
            return value
        try:
            return timedelta(seconds=float(value))
        except (ValueError, OverflowError):
            return value

    @field_validator("database_url", "worker_database_url", "migration_database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or urlsplit(value.get_secret_value()).scheme in {"postgresql", "postgres"}:
            return value
        raise ValueError("must begin with postgresql:// , as postgresql://role:password@host:5432/database")

    @field_validator("privacy_keys")
    @classmethod
    def _is_key_ring(cls, value: SecretStr) -> SecretStr:
        try:
            KeyRing.from_setting(value.get_secret_value())
        except BadKey as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("privacy_hash_key", "seal_key")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        try:
            length = len(read_key(value.get_secret_value()))
        except BadKey as error:
            raise ValueError(str(error)) from None
        if length < 16:
            raise ValueError(f"has {length} bytes; give at least 16: openssl rand -base64 32")
        return value

    @field_validator("seal_key")
    @classmethod
    def _is_seal_key(cls, value: SecretStr) -> SecretStr:
        if (length := len(read_key(value.get_secret_value()))) != 32:
            raise ValueError(f"has {length} bytes; give exactly 32: openssl rand -base64 32")
        return value

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.oidc_jwks_url is None) == (self.oidc_jwks_file is None):
            raise ValueError("give either SHOUWEN_OIDC_JWKS_URL or SHOUWEN_OIDC_JWKS_FILE, not both, not neither")
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_sasl_mechanism and self.kafka_sasl_username and self.kafka_sasl_password
        ):
            raise ValueError("SASL needs SHOUWEN_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD")
        return self

    @property
    def keys(self) -> KeyRing:
        """The key ring for encrypted fields."""
        return KeyRing.from_setting(self.privacy_keys.get_secret_value())

    @property
    def hash_key(self) -> bytes:
        """The key for keyed hashes."""
        return read_key(self.privacy_hash_key.get_secret_value())


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def _problems(settings: type[BaseSettings], error: ValidationError) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(each["loc"][0]) if each["loc"] else ""
        field = settings.model_fields.get(name)
        meaning = field.description if field is not None and field.description else ""
        problem = "is not set" if each["type"] == "missing" else each["msg"].removeprefix("Value error, ")
        remedy = f"Meaning: {meaning}." if meaning else "See the settings table in the service's README."
        problems.append(FieldProblem(variable(name) if name else "settings", problem, remedy))
    return problems
