"""Bearer tokens for evaluation: signed with the home's own key, good only for services that listen on loopback."""

import ipaddress
import json
import time
from collections.abc import Sequence
from pathlib import Path

from shouwen.embedded.errors import LauncherError
from shouwen.embedded.home import State
from shouwen.embedded.secrets import Secrets

ISSUER = "urn:shouwen:evaluation"
AUDIENCE = "shouwen"
HOURS = 12.0


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def write_key_set(secrets: Secrets, path: Path) -> None:
    """Write the public half of the signing key where the services read it."""
    from joserfc.jwk import ECKey

    key = ECKey.import_key(secrets.signing_key())
    path.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))


def token(
    state: State,
    secrets: Secrets,
    *,
    person: str,
    branches: Sequence[str],
    roles: Sequence[str],
    name: str | None = None,
    hours: float = HOURS,
) -> str:
    """A signed token for one person.

    Raises:
        LauncherError: the services can be reached from beyond this machine, or trust another issuer.
    """
    if not state.evaluation or not is_loopback(state.host):
        raise LauncherError(
            f"Evaluation tokens are for loopback only; these services listen on {state.host} and trust {state.issuer}",
            "Get a token from that provider",
        )
    from joserfc import jwt
    from joserfc.jwk import ECKey

    key = ECKey.import_key(secrets.signing_key())
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": person,
        "name": name or person,
        "branches": list(branches),
        "roles": list(roles),
        "iat": now,
        "exp": now + int(hours * 3600),
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
