"""The form in which personal data rest: encrypted for us, hashed to be found, sealed for one other service."""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from shouwen.contracts.case import ClientMention
from shouwen.intake.domain.registration import Particulars
from shouwen.intake.domain.search import pairs_of
from shouwen.runtime.privacy import KeyRing, Seal, keyed_hash


@dataclass(frozen=True, slots=True)
class Protection:
    """How personal data are kept: encrypted for us, hashed to be found, sealed for one other service."""

    keys: KeyRing
    hash_key: bytes
    seal: Seal

    def encrypt(self, text: str | None) -> bytes | None:
        """The text for a bytea column."""
        return None if text is None else self.keys.encrypt(text)

    def decrypt(self, value: bytes | None) -> str | None:
        """The text of a bytea column."""
        return None if value is None else self.keys.decrypt(value)

    def hash(self, value: str | None) -> str | None:
        """The keyed hash by which a phone number or an identifier is found."""
        return None if value is None else keyed_hash(self.hash_key, value)

    def hash_phone(self, phone: str | None) -> str | None:
        """The keyed hash of a phone number, however it is written: +86 10-6512 3456 转 8 is 01065123456x8."""
        return None if phone is None else keyed_hash(self.hash_key, plain_phone(phone))

    def grams(self, *texts: str) -> list[int]:
        """Keyed hashes of the pairs of characters in texts, by which their words are found; in no telling order."""
        key = _gram_key(self.hash_key)
        return sorted({_gram(key, pair) for text in texts for pair in pairs_of(text)})

    def fingerprint(self, text: str) -> str:
        """A keyed hash of a text as it stands, by which the same request is recognised."""
        return hmac.new(self.hash_key, text.encode(), hashlib.sha256).hexdigest()

    def mention(self, particulars: Particulars) -> ClientMention | None:
        """The client of a case for an event: a hash, and what only the review service can open."""
        claims = {"name": particulars.client_name, "identifier": particulars.client_identifier}
        given = {name: value for name, value in claims.items() if value is not None}
        if not given:
            return None
        return ClientMention(
            identifier_hash=self.hash(particulars.client_identifier),
            sealed=self.seal.seal(given),
        )


@dataclass(frozen=True, slots=True)
class Protected:
    """The particulars of a case as they rest in the database."""

    subject: bytes
    description: bytes
    requester_name: bytes | None
    requester_phone: bytes | None
    requester_phone_hash: str | None
    requester_email: bytes | None
    requester_email_hash: str | None
    client_name: bytes | None
    client_identifier: bytes | None
    client_identifier_hash: str | None
    erased: tuple[Literal["client", "requester"], ...] = ()
    """Whose data were erased."""
    grams: tuple[int, ...] = ()
    """What the words of subject and description are found by; not read back."""

    @classmethod
    def of(cls, particulars: Particulars, protection: Protection) -> "Protected":
        """Encrypt the particulars."""
        return cls(
            subject=protection.keys.encrypt(particulars.subject),
            description=protection.keys.encrypt(particulars.description),
            requester_name=protection.encrypt(particulars.requester_name),
            requester_phone=protection.encrypt(particulars.requester_phone),
            requester_phone_hash=protection.hash_phone(particulars.requester_phone),
            requester_email=protection.encrypt(particulars.requester_email),
            requester_email_hash=protection.hash(particulars.requester_email),
            client_name=protection.encrypt(particulars.client_name),
            client_identifier=protection.encrypt(particulars.client_identifier),
            client_identifier_hash=protection.hash(particulars.client_identifier),
            grams=tuple(protection.grams(particulars.subject, particulars.description)),
        )

    def open(self, protection: Protection) -> Particulars:
        """Decrypt the particulars.

        Raises:
            Unreadable: the key was destroyed or is not configured.
        """
        return Particulars(
            subject=protection.keys.decrypt(self.subject),
            description=protection.keys.decrypt(self.description),
            requester_name=protection.decrypt(self.requester_name),
            requester_phone=protection.decrypt(self.requester_phone),
            requester_email=protection.decrypt(self.requester_email),
            client_name=protection.decrypt(self.client_name),
            client_identifier=protection.decrypt(self.client_identifier),
        )


_EXTENSION = re.compile(r"[xX#,转]")
_MOBILE = re.compile(r"^1[3-9][0-9]{9}$")
_ABROAD = re.compile(r"^(?:\+|00)86(?:0(?=[1-9]))?")


def plain_phone(phone: str) -> str:
    """A phone number without what differs from hand to hand: spaces, brackets, the country's own prefix."""
    number, mark, extension = _EXTENSION.sub("x", unicodedata.normalize("NFKC", phone), count=1).partition("x")
    digits = "".join(character for character in number if character.isdigit() or character == "+")
    national = _ABROAD.sub("", digits)
    if national != digits and not _MOBILE.match(national):
        national = "0" + national
    return national + mark + "".join(character for character in extension if character.isdigit())


@lru_cache(maxsize=8)
def _gram_key(hash_key: bytes) -> bytes:
    """A key of its own: the hashes of pairs tell nothing about the hashes of identifiers."""
    return hmac.digest(hash_key, b"shouwen.intake.search", "sha256")


@lru_cache(maxsize=65_536)
def _gram(key: bytes, pair: str) -> int:
    """32 bits are enough: what two pairs share is sorted out when the texts are decrypted."""
    return int.from_bytes(hashlib.blake2b(pair.encode(), digest_size=4, key=key).digest(), signed=True)
