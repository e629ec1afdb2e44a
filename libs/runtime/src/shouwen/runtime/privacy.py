"""Personal data: encrypted per field, found by keyed hash, sealed for one addressee, masked for eyes that need less.

Encrypted field (``KeyRing``): ``key id`` + ``:`` + 12 bytes of nonce + AES-GCM ciphertext and tag. The key's id is
authenticated together with the text, so that a value cannot be passed off as another key's.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
from collections.abc import Mapping
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from shouwen.runtime.errors import Refused

_NONCE_BYTES = 12
_KEY_BYTES = (16, 24, 32)
_KEY_ID = re.compile(r"^[A-Za-z0-9._-]{1,32}$")


class BadKey(ValueError):
    """A key setting cannot be read. The message names what is wrong and never repeats the key."""


class Unreadable(Refused):
    """A protected value cannot be opened: its key was destroyed or is not configured here."""


class KeyRing:
    """Keys for encrypted fields. The first encrypts; all of them decrypt, so a key is replaced without a stop."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise BadKey("the key ring is empty; give at least one 'id:base64' entry")
        for key_id, key in keys.items():
            if not _KEY_ID.match(key_id):
                raise BadKey("a key id may have letters, digits and . _ - only, at most 32")
            if len(key) not in _KEY_BYTES:
                raise BadKey(f"key {key_id} has {len(key)} bytes; AES needs 16, 24 or 32")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))

    @classmethod
    def from_setting(cls, text: str) -> Self:
        """Read ``id:base64,id:base64``; the first is current.

        Raises:
            BadKey: an entry is malformed, doubled, or has the wrong length.
        """
        keys: dict[str, bytes] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            key_id, colon, encoded = entry.partition(":")
            if not colon:
                raise BadKey("each entry must be 'id:base64', entries separated by commas")
            if key_id in keys:
                raise BadKey(f"key id {key_id} occurs twice")
            keys[key_id] = read_key(encoded)
        return cls(keys)

    @property
    def current(self) -> str:
        """The id of the key that encrypts."""
        return self._current

    def has(self, key_id: str) -> bool:
        """Whether a key of this id is in the ring."""
        return key_id in self._ciphers

    def encrypt(self, text: str) -> bytes:
        """Encrypt one field under the current key."""
        key_id = self._current.encode()
        nonce = os.urandom(_NONCE_BYTES)
        return key_id + b":" + nonce + self._ciphers[self._current].encrypt(nonce, text.encode(), key_id)

    def decrypt(self, value: bytes) -> str:
        """Decrypt one field.

        Raises:
            Unreadable: the key is not in the ring, or the value was changed.
        """
        key_id, colon, rest = bytes(value).partition(b":")
        cipher = self._ciphers.get(key_id.decode("ascii", "replace")) if colon else None
        if cipher is None:
            raise Unreadable
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], key_id).decode()
        except (InvalidTag, ValueError):
            raise Unreadable from None

    def is_current(self, value: bytes) -> bool:
        """Whether the value is encrypted under the current key; a rotation re-encrypts those that are not."""
        return bytes(value).partition(b":")[0] == self._current.encode()


class Seal:
    """Seals claims for the one service that shares the key (JWE, ``dir`` with ``A256GCM``)."""

    _ALGORITHMS = ("dir", "A256GCM")

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise BadKey(f"a seal key needs 32 bytes, this one has {len(key)}")
        self._key = OctKey.import_key(key)

    def seal(self, claims: Mapping[str, str]) -> str:
        """Seal the claims into a compact JWE."""
        text = json.dumps(dict(claims), ensure_ascii=False, separators=(",", ":")).encode()
        return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, text, self._key, algorithms=self._ALGORITHMS)

    def open(self, token: str) -> dict[str, str]:
        """Open a sealed token.

        Raises:
            Unreadable: it was sealed with another key, was changed, or holds something else than text claims.
        """
        try:
            plain = jwe.decrypt_compact(token, self._key, algorithms=self._ALGORITHMS).plaintext
            claims = json.loads(plain or b"null")
        except (JoseError, ValueError, UnicodeError):
            raise Unreadable from None
        if not isinstance(claims, dict):
            raise Unreadable
        return {str(name): str(value) for name, value in claims.items()}


def read_key(encoded: str) -> bytes:
    """Decode a base64 or base64url key.

    Raises:
        BadKey: it is not base64.
    """
    text = encoded.strip().replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadKey("the key is not base64; make one with: openssl rand -base64 32") from None


def normalised(value: str) -> str:
    """An identifier as it is compared: upper case, without white space."""
    return "".join(value.split()).upper()


def keyed_hash(key: bytes, value: str) -> str:
    """HMAC-SHA256 of the normalised value, in hex: equal for equal identifiers, useless without the key."""
    return hmac.new(key, normalised(value).encode(), hashlib.sha256).hexdigest()


def mask_name(name: str) -> str:
    """The first character stays: 王小明 → 王**."""
    name = name.strip()
    return name[:1] + "*" * (len(name) - 1) if len(name) > 1 else "*" * len(name)


def mask_phone(phone: str) -> str:
    """The first three and last four digits of a mobile number stay, of a short one only the last two."""
    digits = "".join(phone.split())
    if len(digits) >= 11:
        return digits[:3] + "*" * (len(digits) - 7) + digits[-4:]
    return "*" * max(len(digits) - 2, 0) + digits[-2:] if len(digits) > 4 else "*" * len(digits)


def mask_email(address: str) -> str:
    """The first character and the domain stay."""
    local, at, domain = address.partition("@")
    return f"{local[:1]}***{at}{domain}"


def mask_identifier(text: str) -> str:
    """The first three and the last two characters of a long identifier stay; a short one is masked whole."""
    text = "".join(text.split())
    return text[:3] + "*" * (len(text) - 5) + text[-2:] if len(text) >= 10 else "*" * len(text)
