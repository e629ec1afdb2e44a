"""Passwords and keys of one home: made once, kept in files which only their owner can read, never printed."""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEY_BYTES = 32


class Secrets:
    """The secrets folder of a home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def password(self, role: str) -> str:
        """Password of a database role."""
        return self._text(f"{role}_password", lambda: secrets.token_urlsafe(24))

    def key(self, name: str) -> str:
        """A key of 32 random bytes, base64."""
        return self._text(name, _random_key)

    def key_ring(self, service: str) -> str:
        """Encryption keys of a service. To rotate, put a newer one in front of the file; old texts stay readable."""
        return self._text(f"{service}_privacy_keys", lambda: f"k1:{_random_key()}")

    def signing_key(self) -> dict[str, Any]:
        """Private key of the evaluation sign-in, as a JWK."""
        return json.loads(self._text("signing_key.json", _signing_key))

    def _text(self, name: str, make: Callable[[], str]) -> str:
        path = self._folder / name
        if not path.exists():
            temporary = self._folder / f".{name}.{os.getpid()}"
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(make())
            temporary.replace(path)
        return path.read_text().strip()


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _signing_key() -> str:
    from joserfc.jwk import ECKey

    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    return json.dumps(key.as_dict(private=True))
