"""The statistics of the measurements are right; no test here measures time."""

import random

import pytest

from bench.figures import Rounds, paired_ratio, quantile
from bench.report import markdown


def test_a_quantile_lies_between_the_two_nearest_values():
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5
    assert quantile([10.0], 0.99) == 10.0
    assert quantile([float(n) for n in range(101)], 0.99) == 99.0


def test_the_order_of_values_does_not_matter():
    values = [random.random() for _ in range(500)]
    assert quantile(values, 0.99) == quantile(sorted(values), 0.99)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.5), ([1.0], -0.1)])
def test_a_quantile_of_nothing_or_beyond_the_ends_is_refused(values: list[float], share: float):
    with pytest.raises(ValueError, match=r"no values|not a share"):
        quantile(values, share)


def test_rounds_keep_median_and_range():
    assert Rounds.of([3.0, 1.0, 2.0]) == Rounds(middle=2.0, low=1.0, high=3.0, count=3)
    assert Rounds.of([1500.0, 1700.0]).text() == "1,600 (1,500–1,700)"
    assert Rounds.of([0.123]).text(2) == "0.12"
    with pytest.raises(ValueError, match="no round"):
        Rounds.of([])


def test_a_ratio_is_taken_within_each_round():
    # A machine that was half as fast in the second round leaves the ratio as it is.
    assert paired_ratio([100.0, 50.0], [1000.0, 500.0]) == Rounds(0.1, 0.1, 0.1, 2)
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_ratio([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="zero"):
        paired_ratio([1.0], [0.0])


def test_a_table_is_markdown():
    assert markdown(["what", "ms"], [["hop", "1.5"]]) == ["| what | ms |", "| --- | ---: |", "| hop | 1.5 |"]
