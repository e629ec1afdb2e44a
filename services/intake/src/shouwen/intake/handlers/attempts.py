"""How often the public may ask: per network address and per case number, for all replicas together."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shouwen.intake.domain.progress import PublicAccess, TooManyAttempts
from shouwen.intake.store import attempts as store
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Principal
from shouwen.runtime.unit_of_work import Transaction

_KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of the public: where it was counted, and how many there are now."""

    began_at: datetime
    ends_at: datetime
    at: datetime
    number_bucket: str | None
    is_over: bool

    def require_allowed(self) -> None:
        """Raise TooManyAttempts when it is one too many. Only after the count was committed."""
        if self.is_over:
            raise TooManyAttempts(self.ends_at - self.at)


async def count_attempt(
    tx: Transaction, *, address: str, number: str | None, access: PublicAccess, protection: Protection
) -> Attempt:
    """Count a request of the public, and with ``number`` also what it asks for, before anything is looked up."""
    began_at = _window(tx.now, access.window)
    address_bucket = "address:" + protection.fingerprint(_network(address))
    number_bucket = None if number is None else "number:" + protection.fingerprint(number)
    buckets = [address_bucket] if number_bucket is None else [address_bucket, number_bucket]
    counted = await store.count_attempts(tx, buckets, began_at=began_at)
    if counted[address_bucket] == 1:
        await store.forget_attempts(tx, before=tx.now - max(_KEPT_FOR, access.window))
    is_over = counted[address_bucket] > access.attempts_per_address or (
        number_bucket is not None and counted[number_bucket] > access.attempts_per_number
    )
    return Attempt(
        began_at=began_at,
        ends_at=began_at + access.window,
        at=tx.now,
        number_bucket=number_bucket,
        is_over=is_over,
    )


async def forgive(tx: Transaction, attempt: Attempt) -> None:
    """Let a request that knew the code not count against its number."""
    if attempt.number_bucket is not None:
        await store.forgive_attempt(tx, attempt.number_bucket, began_at=attempt.began_at)


def requester_of(branch: str | None) -> Principal:
    """The public, as far as the database lets it see: the rows of one branch, or nothing; and no role."""
    return Principal(
        person="requester",
        name="requester",
        branches=frozenset() if branch is None else frozenset({branch}),
        roles=frozenset(),
    )


def _window(now: datetime, length: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return now - (now - epoch) % length


def _network(address: str) -> str:
    """One subscriber's addresses: a whole /64 of IPv6 is handed to each."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
