"""Where a running suite answers, and tokens to ask it with: what the commands that talk to the services share."""

from collections.abc import Sequence
from functools import cache

from shouwen.embedded.errors import LauncherError
from shouwen.embedded.home import Home, State
from shouwen.embedded.secrets import Secrets
from shouwen.embedded.tokens import token


class Access:
    """The doors of the suite on one home.

    Raises (when made with ``of``):
        LauncherError: nothing runs on that home.
    """

    def __init__(self, state: State, secrets: Secrets) -> None:
        self._state = state
        self._secrets = secrets
        self._token = cache(self._sign)

    @classmethod
    def of(cls, home: Home) -> "Access":
        """The suite that runs on a home now."""
        return cls(home.read(), Secrets(home.secrets))

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services that were started here."""
        return tuple(self._state.services)

    @property
    def zipkin(self) -> str | None:
        """Base URL of Zipkin, if it was started."""
        return self._state.zipkin

    @property
    def kafka_bootstrap(self) -> str:
        """Kafka's HOST:PORT."""
        return self._state.kafka

    @property
    def stream_prefix(self) -> str:
        """What the names of this suite's topics begin with."""
        return self._state.stream_prefix

    def url(self, service: str) -> str:
        """Base URL of a service.

        Raises:
            LauncherError: it was not started here.
        """
        if service not in self._state.services:
            raise LauncherError(
                f"This needs the service {service}, which was not started on {self._state.home}",
                "Start it too: `shouwen up` without --only, or with more names",
            )
        return self._state.services[service].rstrip("/")

    def headers(self, person: str, branches: Sequence[str], roles: Sequence[str]) -> dict[str, str]:
        """The Authorization header of an evaluation token for this person."""
        return {"Authorization": f"Bearer {self._token(person, tuple(branches), tuple(roles))}"}

    def _sign(self, person: str, branches: tuple[str, ...], roles: tuple[str, ...]) -> str:
        return token(self._state, self._secrets, person=person, branches=branches, roles=roles)
