"""What must exist before a service starts: its roles and database, and the topics."""

from collections.abc import Sequence

from shouwen.embedded import topics
from shouwen.embedded.errors import LauncherError
from shouwen.embedded.secrets import Secrets
from shouwen.runtime import migrate
from shouwen.runtime.migrate import RoleKind, Roles

KINDS: tuple[RoleKind, ...] = ("owner", "app", "worker")


async def provision(admin_dsn: str, kafka: str, prefix: str, services: Sequence[str], secrets: Secrets) -> None:
    """Create what is missing; passwords are set to those of this home.

    Raises:
        LauncherError: the database server or the broker refuses; says which and why.
    """
    import asyncpg
    from aiokafka.errors import KafkaConnectionError, KafkaError

    try:
        for service in services:
            await migrate.provision(admin_dsn, service, database_of(service), _passwords(service, secrets))
    except (OSError, TimeoutError) as error:
        raise LauncherError(
            f"PostgreSQL cannot be reached: {_said(error)}", "Check the address in the DSN given to --postgres"
        ) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LauncherError(
            f"PostgreSQL refuses to create the databases: {_said(error)}",
            "--postgres needs the DSN of a role that may create roles and databases",
        ) from None
    try:
        await topics.create(kafka, prefix)
    except (OSError, KafkaConnectionError, TimeoutError) as error:
        raise LauncherError(
            f"Kafka at {kafka} cannot be reached: {_said(error)}", "Check the address given to --kafka"
        ) from None
    except KafkaError as error:
        raise LauncherError(
            f"Kafka at {kafka} refuses to create the topics: {_said(error)}",
            "Check the rights of this client there, or create the topics of deploy/kafka/topics.yaml beforehand",
        ) from None


def database_settings(admin_dsn: str, service: str, secrets: Secrets) -> dict[str, str]:
    """The connections of a service's three roles, as its settings."""
    passwords = _passwords(service, secrets)
    names: dict[RoleKind, str] = {"app": "", "worker": "WORKER_", "owner": "MIGRATION_"}
    return {
        f"SHOUWEN_{names[kind]}DATABASE_URL": migrate.role_url(
            admin_dsn, service, kind, database_of(service), passwords[kind]
        )
        for kind in KINDS
    }


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def database_of(service: str) -> str:
    """Name of the service's database."""
    return f"shouwen_{service}"


def _passwords(service: str, secrets: Secrets) -> dict[RoleKind, str]:
    roles = Roles.of(service)
    return {kind: secrets.password(getattr(roles, kind)) for kind in KINDS}
