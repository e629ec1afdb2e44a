"""What requesters hold in their hands: signed links and secret codes. No account stands behind either.

Both rest on keys of their own, derived from the key for keyed hashes.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from uuid import UUID

from shouwen.intake.domain.progress import CODE_LENGTH, CODE_LETTERS, plain_code

_SIGNATURE_BYTES = 16
_TOKEN = re.compile(r"(?P<branch>[a-z][a-z0-9-]{1,39})\.(?P<id>[A-Za-z0-9_-]{22})\.(?P<signature>[A-Za-z0-9_-]{22})")
_SALT_BYTES = 16
_SCRYPT_COST = 2**14
"""About 50 ms and 16 MB for each guess; a guesser needs the service's key besides."""


@dataclass(frozen=True, slots=True)
class KeptCode:
    """What is kept of a secret code."""

    salt: bytes
    hash: bytes


NO_CODE = KeptCode(salt=bytes(_SALT_BYTES), hash=bytes(32))
"""Compared with where there is no code, so that it takes as long; no code has this hash."""


def survey_token(hash_key: bytes, *, branch: str, survey_id: UUID) -> str:
    """The last part of a survey's link; it names the branch, so that nothing else need be opened to find the survey."""
    return f"{branch}.{_text(survey_id.bytes)}.{_text(_signature(hash_key, branch, survey_id))}"


def read_survey_token(hash_key: bytes, token: str) -> tuple[str, UUID] | None:
    """The branch and id of the survey whose link was signed here; None for any other text."""
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        return None
    try:
        survey_id = UUID(bytes=base64.urlsafe_b64decode(parts["id"] + "=="))
    except (binascii.Error, ValueError):
        return None
    # Compared as text: the last letter of base64 has spare bits, and a link is good in one spelling only.
    expected = survey_token(hash_key, branch=parts["branch"], survey_id=survey_id)
    return (parts["branch"], survey_id) if hmac.compare_digest(expected, token) else None


def new_code() -> str:
    """A secret code, by chance."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def keep_code(hash_key: bytes, code: str) -> KeptCode:
    """What may be kept of the code. Slow on purpose: call it in a thread."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return KeptCode(salt=salt, hash=_slow_hash(hash_key, salt, code))


def is_code(hash_key: bytes, kept: KeptCode, code: str) -> bool:
    """Whether this is the code of which ``kept`` was kept. Slow on purpose, and as slow for ``NO_CODE``."""
    return hmac.compare_digest(_slow_hash(hash_key, kept.salt, code), kept.hash)


def _slow_hash(hash_key: bytes, salt: bytes, code: str) -> bytes:
    keyed = hmac.new(_derived(hash_key, "progress code"), plain_code(code).encode(), hashlib.sha256).digest()
    return hashlib.scrypt(keyed, salt=salt, n=_SCRYPT_COST, r=8, p=1, dklen=32)


def _signature(hash_key: bytes, branch: str, survey_id: UUID) -> bytes:
    key = _derived(hash_key, "survey link")
    return hmac.new(key, f"{branch}\n{survey_id.hex}".encode(), hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _derived(hash_key: bytes, purpose: str) -> bytes:
    return hmac.new(hash_key, f"shouwen intake {purpose}".encode(), hashlib.sha256).digest()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
