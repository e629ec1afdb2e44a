"""Identifiers of persons and companies, with their check digits (V-01)."""

import unicodedata
from collections.abc import Sequence
from datetime import date
from typing import Literal

from shouwen.runtime.errors import Invalid

Kind = Literal["individual", "company"]

_LENGTH = 18

# GB 11643-1999: weights 2^(17-i) mod 11; the remainder chooses the check character.
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECKS = "10X98765432"
_EARLIEST_BIRTH = date(1850, 1, 1)

# GB 32100-2015: 31 characters (no I, O, S, V, Z); weights 3^i mod 31.
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = tuple(3**position % 31 for position in range(17))

_CHECK_REMEDY = "Compare it with the original, digit by digit."


class BadIdentifier(Invalid):
    """The identifier cannot be right."""

    def __init__(self, detail: str, *, remedy: str = _CHECK_REMEDY) -> None:
        super().__init__(detail, field="identifier", remedy=remedy)


def plain(identifier: str) -> str:
    """The identifier as it is compared: half-width, upper case, no white space or hyphens."""
    text = unicodedata.normalize("NFKC", identifier)
    return "".join(text.split()).replace("-", "").upper()


def checked(identifier: str, kind: Kind | None, *, today: date) -> tuple[str, Kind]:
    """The plain identifier and whose it is.

    Args:
        identifier: a resident identity number or a unified social credit code, as somebody typed it.
        kind: whose it must be; None takes either.
        today: nobody is born later.

    Raises:
        BadIdentifier: it has the wrong form or check digit; the message says which part is wrong.
    """
    text = plain(identifier)
    if len(text) != _LENGTH:
        raise BadIdentifier(
            f"An identifier has {_LENGTH} characters, this one has {len(text)}.",
            remedy="Give the 18-digit resident identity number, or the 18-character unified social credit code.",
        )
    match kind:
        case "individual":
            _check_resident_number(text, today)
            return text, "individual"
        case "company":
            _check_credit_code(text)
            return text, "company"
        case None:
            return text, _kind_of(text, today)


def is_valid(identifier: str, *, today: date) -> bool:
    """Whether the identifier can be right."""
    try:
        checked(identifier, None, today=today)
    except BadIdentifier:
        return False
    return True


def _kind_of(text: str, today: date) -> Kind:
    try:
        _check_credit_code(text)
    except BadIdentifier as as_company:
        try:
            _check_resident_number(text, today)
        except BadIdentifier:
            # Letters or a leading 9 speak for a company: then its complaint is the helpful one.
            if text[0] == "9" or not text[:17].isdigit():
                raise as_company from None
            raise
        return "individual"
    return "company"


def _check_resident_number(text: str, today: date) -> None:
    """GB 11643: area, date of birth, sequence, check character (ISO 7064 MOD 11-2)."""
    digits, check = text[:17], text[17]
    if not (digits.isascii() and digits.isdigit()) or check not in _RESIDENT_CHECKS:
        raise BadIdentifier("A resident identity number has 17 digits and a digit or X.")
    try:
        born = date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        raise BadIdentifier("Digits 7 to 14 are not a date of birth.") from None
    if not _EARLIEST_BIRTH <= born <= today:
        raise BadIdentifier("Digits 7 to 14 are a date of birth in the future, or too long ago.")
    if _RESIDENT_CHECKS[_weighted([int(digit) for digit in digits], _RESIDENT_WEIGHTS) % 11] != check:
        raise BadIdentifier("The check digit of the resident identity number is wrong (GB 11643).")


def _check_credit_code(text: str) -> None:
    """GB 32100: authority, category, area, organisation code, check character (MOD 31)."""
    strange = sorted({character for character in text if character not in _CREDIT_ALPHABET})
    if strange:
        raise BadIdentifier(
            "A unified social credit code has digits and capital letters, but never I, O, S, V or Z.",
            remedy="Read it again: 1 is not I, 0 is not O, 5 is not S, 2 is not Z.",
        )
    values = [_CREDIT_ALPHABET.index(character) for character in text]
    if (31 - _weighted(values[:17], _CREDIT_WEIGHTS) % 31) % 31 != values[17]:
        raise BadIdentifier("The check character of the unified social credit code is wrong (GB 32100).")


def _weighted(values: Sequence[int], weights: Sequence[int]) -> int:
    return sum(value * weight for value, weight in zip(values, weights, strict=True))
