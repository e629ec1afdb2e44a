"""Chinese identifiers with their check digits: resident ID number (GB 11643) and unified social credit code (GB 32100).

002 六2 asks that what a client shows be checked; a mistyped number must not reach the register.
"""

from datetime import date
from typing import Literal

from shouwen.runtime.errors import Invalid

Kind = Literal["individual", "company"]

_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECKS = "10X98765432"
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_LENGTH = 18


class BadIdentifier(Invalid):
    """The identifier is mistyped."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem,
            field="identifier",
            remedy="Compare it with the original document: 18 characters, the last one is a check character.",
        )


def checked_identifier(text: str, kind: Kind | None = None) -> str:
    """The identifier in upper case without white space.

    Args:
        text: as typed.
        kind: whose identifier it must be; None accepts either.

    Raises:
        BadIdentifier: the length, a character, the birth date or the check character is wrong.
    """
    identifier = "".join(text.split()).upper()
    if len(identifier) != _LENGTH:
        raise BadIdentifier(f"The identifier has {len(identifier)} characters instead of {_LENGTH}.")
    if kind == "individual":
        _check_resident_number(identifier)
    elif kind == "company":
        _check_credit_code(identifier)
    elif not (_is_resident_number(identifier) or _is_credit_code(identifier)):
        raise BadIdentifier("This is neither a resident ID number nor a unified social credit code.")
    return identifier


def _check_resident_number(identifier: str) -> None:
    if not identifier[:17].isdecimal() or not identifier.isascii() or identifier[17] not in _RESIDENT_CHECKS:
        raise BadIdentifier("A resident ID number has 17 digits and then a digit or X.")
    if not _is_date(identifier[6:14]):
        raise BadIdentifier("Characters 7 to 14 of a resident ID number are a birth date; these are not a date.")
    total = sum(int(digit) * weight for digit, weight in zip(identifier, _RESIDENT_WEIGHTS, strict=False))
    if _RESIDENT_CHECKS[total % 11] != identifier[17]:
        raise BadIdentifier("The check character of the resident ID number does not fit its digits.")


def _check_credit_code(identifier: str) -> None:
    if any(character not in _CREDIT_ALPHABET for character in identifier):
        raise BadIdentifier("A unified social credit code has digits and capital letters without I, O, S, V, Z.")
    total = sum(
        _CREDIT_ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(identifier[:17])
    )
    if _CREDIT_ALPHABET[-total % 31] != identifier[17]:
        raise BadIdentifier("The check character of the unified social credit code does not fit the others.")


def _is_resident_number(identifier: str) -> bool:
    try:
        _check_resident_number(identifier)
    except BadIdentifier:
        return False
    return True


def _is_credit_code(identifier: str) -> bool:
    try:
        _check_credit_code(identifier)
    except BadIdentifier:
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True
