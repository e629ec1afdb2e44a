"""What a search asks for, and what it means that a text holds some words."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from shouwen.contracts.case import CaseState, CaseType
from shouwen.runtime.errors import Invalid

SHORTEST_TERM = 2
"""Characters of the shortest word that can be looked for: texts are found by pairs of characters."""
MOST_TERMS = 10


@dataclass(frozen=True, slots=True)
class Search:
    """What the register is narrowed to; None lets everything through. Hashes stand for what only hashes can find."""

    branch: str | None = None
    type: CaseType | None = None
    state: CaseState | None = None
    owner: str | None = None
    department: str | None = None
    number: str | None = None
    """The beginning of a number."""
    client_hash: str | None = None
    phone_hash: str | None = None
    email_hash: str | None = None
    terms: tuple[str, ...] = ()
    """Words that all stand in subject or description, as ``terms_of`` gives them."""
    due_before: datetime | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None


def normalised(text: str) -> str:
    """A text as it is compared: compatibility forms folded (Ａ１ is A1), without case. 繁 and 简 stay different."""
    return unicodedata.normalize("NFKC", text).casefold()


def terms_of(text: str) -> tuple[str, ...]:
    """The words of a search, which white space separates.

    Raises:
        Invalid: a word is shorter than two characters, or there are too many.
    """
    terms = tuple(dict.fromkeys(normalised(text).split()))
    if any(len(term) < SHORTEST_TERM for term in terms):
        raise Invalid(
            "A word of the search has one character only.",
            field="text",
            remedy="Give at least two characters of each word, as 工资.",
        )
    if len(terms) > MOST_TERMS:
        raise Invalid("The search has too many words.", field="text", remedy=f"Give at most {MOST_TERMS} words.")
    return terms


def pairs_of(text: str) -> set[str]:
    """All pairs of neighbouring characters, without those that hold white space."""
    plain = normalised(text)
    pairs = {plain[i : i + 2] for i in range(len(plain) - 1)}
    return {pair for pair in pairs if not (pair[0].isspace() or pair[1].isspace())}


def holds(terms: tuple[str, ...], *texts: str) -> bool:
    """Whether each word stands in one of the texts."""
    plain = [normalised(text) for text in texts]
    return all(any(term in text for text in plain) for term in terms)
