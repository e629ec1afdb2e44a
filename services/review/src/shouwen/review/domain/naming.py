"""Names as they are compared, and when two of them are near (V-05).

A near name is never proof: it only brings the matter before a person.
"""

import re
import unicodedata

from opencc import OpenCC

from shouwen.review.domain.identity import Kind

CANDIDATE_SIMILARITY = 0.4
"""Trigram similarity from which the database offers an entry; below it nothing is looked at."""
NEAR_SIMILARITY = 0.5
"""Trigram similarity from which a company's name counts as near by itself."""
_SHORTEST_PART = 4
"""A name this long that is a part of the other one counts as near: 诚鑫达商贸 and 广州诚鑫达商贸."""

_to_simplified = OpenCC("t2s")
_NOT_NAME = re.compile(r"[^\w]|_")
# The legal form says nothing about who it is; the longest form first.
_LEGAL_FORMS = (
    "股份有限责任公司",
    "有限责任公司",
    "股份有限公司",
    "集团有限公司",
    "控股有限公司",
    "有限合伙企业",
    "普通合伙企业",
    "个人独资企业",
    "特殊普通合伙",
    "有限公司",
    "股份公司",
    "集团公司",
    "总公司",
    "分公司",
    "有限合伙",
    "普通合伙",
    "个体工商户",
    "公司",
    "集团",
    "COMPANYLIMITED",
    "INCORPORATED",
    "CORPORATION",
    "COLTD",
    "LIMITED",
    "CORP",
    "LTD",
    "LLC",
    "INC",
)


def comparable(name: str) -> str:
    """A name without what does not tell two clients apart.

    Half-width, simplified characters, capitals, no spaces or punctuation, no legal form at the end.
    """
    text = _to_simplified.convert(unicodedata.normalize("NFKC", name)).upper()
    text = _NOT_NAME.sub("", text)
    while form := next((each for each in _LEGAL_FORMS if text.endswith(each) and len(text) > len(each) + 1), None):
        text = text.removesuffix(form)
    return text


def is_near(name: str, listed: str, *, similarity: float, kind: Kind) -> bool:
    """Whether a comparable name resembles a listed one.

    Args:
        name: the name asked about, as ``comparable`` gives it.
        listed: the listed name, likewise.
        similarity: what the database says of their trigrams, 0 to 1.
        kind: whose name is listed. Names of persons are so short that only the same name counts.
    """
    if name == listed:
        return True
    if kind == "individual":
        return False
    shorter, longer = sorted((name, listed), key=len)
    return similarity >= NEAR_SIMILARITY or (len(shorter) >= _SHORTEST_PART and shorter in longer)
