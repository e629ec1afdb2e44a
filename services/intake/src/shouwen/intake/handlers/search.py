"""Searching the register, and keeping it searchable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from shouwen.intake.domain.search import Search, holds
from shouwen.intake.handlers.reading import Shown, masked
from shouwen.intake.store import delegations
from shouwen.intake.store import search as store
from shouwen.intake.store.protection import Protection
from shouwen.intake.store.search import Hit, Place, Statement
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork

_MOST_CANDIDATES = 2000
"""Cases that one request decrypts to see whether they hold the words. A page may therefore be short, even empty, and
still have a next one."""
_INDEXED_AT_ONCE = 500
_FREQUENT_BESIDE_RARE = 4
"""Frequent pairs that the index is asked for beside the rare ones; each costs a look per candidate."""
_FREQUENCY_HOLDS = timedelta(minutes=10)
_FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search; ``following`` is where the next one begins, None at the end."""

    items: list[Shown]
    following: Place | None


class Frequency:
    """Which pairs of characters are frequent, as far as the database knows; asked for again every ten minutes."""

    def __init__(self) -> None:
        self._grams: frozenset[int] = frozenset()
        self._asked_at: datetime | None = None

    async def rare(self, tx: Transaction, grams: Sequence[int]) -> list[int]:
        """Those of the grams that are not frequent."""
        if self._asked_at is None or tx.now - self._asked_at > _FREQUENCY_HOLDS:
            self._grams = await store.frequent_grams(tx)
            self._asked_at = tx.now
        return [gram for gram in grams if gram not in self._grams]


async def find_cases(
    tx: Transaction,
    search: Search,
    *,
    after: Place | None,
    limit: int,
    protection: Protection,
    frequency: Frequency,
) -> Found:
    """The cases that a search finds among those the caller may see; personal data are masked to everyone."""
    found = await _find(tx, search, after or Place(), limit, protection, frequency)
    owners = {each.case.owner for each in found.items}
    named = await delegations.delegates_named(tx, owners, at=tx.now) if owners else {}
    return replace(found, items=[_with_delegate(each, named) for each in found.items])


async def _find(
    tx: Transaction, search: Search, place: Place, limit: int, protection: Protection, frequency: Frequency
) -> Found:
    if not search.terms:
        hits = await store.find(tx, store.statement(search, place, limit + 1))
        following = _behind(search, hits[limit - 1]) if len(hits) > limit else None
        return Found(items=[_shown(hit, protection) for hit in hits[:limit]], following=following)
    grams = protection.grams(*search.terms)
    rare = await frequency.rare(tx, grams)
    frequent = sorted(set(grams).difference(rare))
    used = [*rare, *frequent[:_FREQUENT_BESIDE_RARE]] if rare else grams
    return await _find_words(tx, search, place, limit, protection, grams=used, are_rare=bool(rare))


async def _find_words(
    tx: Transaction,
    search: Search,
    place: Place,
    limit: int,
    protection: Protection,
    *,
    grams: Sequence[int],
    are_rare: bool,
) -> Found:
    found: list[Shown] = []
    examined = 0
    if store.is_by_words(search) and not are_rare:
        # Only a page that the newest cases fill is taken from them; otherwise the index of words begins anew.
        hits = await store.find(tx, store.recent_words(search, place, 2 * limit + 2, grams))
        found = [shown for hit in hits if holds(search.terms, *_texts(shown := _shown(hit, protection)))]
        if len(found) > limit:
            return Found(items=found[:limit], following=Place(id=found[limit - 1].case.id))
        found = []

    def next_statement(place: Place, size: int) -> Statement:
        if store.is_by_words(search):
            return store.words(search, place, size, grams)
        return store.statement(search, place, size)

    while examined < _MOST_CANDIDATES:
        size = max(2 * limit, 100)
        hits = await store.find(tx, next_statement(place, size))
        for hit in hits:
            examined += 1
            shown = _shown(hit, protection)
            if not holds(search.terms, *_texts(shown)):
                place = _behind(search, hit)
            elif len(found) == limit:
                return Found(items=found, following=place)
            else:
                found.append(shown)
                place = _behind(search, hit)
        if len(hits) < size:
            return Found(items=found, following=None)
    return Found(items=found, following=place)


async def index_texts(work: UnitOfWork, protection: Protection) -> int:
    """Let cases be found by their words that were registered before there was an index of words; how many these were.

    It goes through the register once, in small transactions, beside all other work.
    """
    last, added = _FIRST, 0
    while True:
        async with work.as_worker() as tx:
            texts = await store.texts_after(tx, last, _INDEXED_AT_ONCE)
            missing = [
                (each.case_id, each.branch, protection.grams(*map(protection.keys.decrypt, _words(each))))
                for each in texts
                if not each.is_found
            ]
            await store.add_texts(tx, missing)
        added += len(missing)
        if len(texts) < _INDEXED_AT_ONCE:
            return added
        last = texts[-1].case_id


def place_of(text: str, search: Search) -> Place:
    """A place as ``text_of`` wrote it.

    Raises:
        ValueError: it is none, or of a search with another order.
    """
    match store.order_of(search):
        case "id":
            return Place(id=UUID(text))
        case "number":
            if not text.isascii() or not text.isprintable():
                raise ValueError("no number")
            return Place(number=text)
        case "received":
            at, _, case_id = text.partition("~")
            received_at = datetime.fromisoformat(at)
            if received_at.tzinfo is None:
                raise ValueError("no time zone")
            return Place(id=UUID(case_id), received_at=received_at)


def text_of(place: Place) -> str:
    """A place for the address of the next page."""
    if place.number is not None:
        return place.number
    return str(place.id) if place.received_at is None else f"{place.received_at.isoformat()}~{place.id}"


def _behind(search: Search, hit: Hit) -> Place:
    case = hit.filed.case
    match store.order_of(search):
        case "id":
            return Place(id=case.id)
        case "number":
            return Place(number=case.number)
        case "received":
            return Place(id=case.id, received_at=case.received_at)


def _shown(hit: Hit, protection: Protection) -> Shown:
    return replace(masked(hit.filed, protection), next_due_at=hit.next_due_at)


def _with_delegate(shown: Shown, named: Mapping[str, str]) -> Shown:
    delegate = named.get(shown.case.owner)
    return shown if delegate is None else replace(shown, case=replace(shown.case, delegates=(delegate,)))


def _texts(shown: Shown) -> tuple[str, str]:
    return shown.particulars.subject, shown.particulars.description


def _words(texts: store.Texts) -> tuple[bytes, bytes]:
    return texts.subject, texts.description
