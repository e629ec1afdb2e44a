"""Names that resemble each other: the same firm written with another suffix, width or spacing.

A name rests as keyed hashes of its two-character pieces, so that near names are found in the database without any name
standing there in the clear. A hit by name alone is a question to a person, never a refusal (yente's experience: names
alone accuse the wrong one).
"""

import re
import unicodedata
from collections.abc import Collection

_SUFFIXES = (
    "有限责任公司",
    "股份有限公司",
    "集团有限公司",
    "有限公司",
    "股份公司",
    "集团公司",
    "分公司",
    "公司",
    "集团",
)
_LATIN_SUFFIXES = re.compile(r"(co\.?,? ?ltd\.?|company limited|limited|ltd\.?|inc\.?|llc)$")
_NOISE = re.compile(r"[\s\W_]+")

NEAR = 0.6
"""Share of common pieces (of all pieces of both names) from which two names count as near."""
SHORTEST = 3
"""A core shorter than this resembles too many: such names are compared only as wholes."""


def core(name: str) -> str:
    """The part of a name that tells it apart: one width, lower case, no spaces or marks, no company suffix."""
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    text = _LATIN_SUFFIXES.sub("", text)
    text = _NOISE.sub("", text)
    suffix = next((each for each in _SUFFIXES if text.endswith(each)), "")
    return text.removesuffix(suffix) or text


def pieces(name: str) -> frozenset[str]:
    """The two-character pieces of a name's core, with its two ends marked; of a short core, the whole."""
    text = core(name)
    if len(text) < SHORTEST:
        return frozenset({f"={text}"}) if text else frozenset()
    framed = f"^{text}$"
    return frozenset(framed[place : place + 2] for place in range(len(framed) - 1))


def similarity(one: Collection[object], other: Collection[object]) -> float:
    """Common pieces in proportion to all pieces of both, 0 to 1."""
    union = len(set(one) | set(other))
    return len(set(one) & set(other)) / union if union else 0.0
