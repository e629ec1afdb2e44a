"""The statistics behind the tables: quantiles, medians of rounds, and ratios that were paired round by round."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie, interpolated between the two nearest.

    Raises:
        ValueError: there are no values, or the share is not between 0 and 1.
    """
    if not values:
        raise ValueError("no values were measured")
    if not 0 <= share <= 1:
        raise ValueError(f"{share} is not a share between 0 and 1")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below, above = math.floor(place), math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True, slots=True)
class Rounds:
    """One figure, measured in several rounds: its median, and the range that the rounds cover."""

    middle: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Rounds":
        """Sum up the rounds.

        Raises:
            ValueError: there was no round.
        """
        if not values:
            raise ValueError("no round was measured")
        return cls(median(values), min(values), max(values), len(values))

    def text(self, decimals: int = 0) -> str:
        """The median, with the range when there was more than one round."""
        middle = f"{self.middle:,.{decimals}f}"
        if self.count == 1:
            return middle
        return f"{middle} ({self.low:,.{decimals}f}–{self.high:,.{decimals}f})"


def paired_ratio(suite: Sequence[float], raw: Sequence[float]) -> Rounds:
    """Suite figure over raw figure, taken within each round, so that a busy minute touches both.

    Raises:
        ValueError: the rounds cannot be paired, or a raw figure is zero.
    """
    if len(suite) != len(raw):
        raise ValueError(f"{len(suite)} rounds of the suite cannot be paired with {len(raw)} raw ones")
    if any(value == 0 for value in raw):
        raise ValueError("a raw figure is zero")
    return Rounds.of([one / other for one, other in zip(suite, raw, strict=True)])


def p50_p99_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """The two quantiles, in milliseconds.

    Raises:
        ValueError: there are no values.
    """
    return quantile(seconds, 0.5) * 1000, quantile(seconds, 0.99) * 1000


def p50_p95_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """The two quantiles, in milliseconds.

    Raises:
        ValueError: there are no values.
    """
    return quantile(seconds, 0.5) * 1000, quantile(seconds, 0.95) * 1000
