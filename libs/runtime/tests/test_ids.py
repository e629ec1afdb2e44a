"""Ids of new things follow the order in which the things came to be."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shouwen.runtime.ids import new_id


@given(
    at=st.datetimes(datetime(2026, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    later=st.timedeltas(timedelta(milliseconds=2), timedelta(days=3650)),
)
def test_ids_sort_by_time(at: datetime, later: timedelta) -> None:
    first, second = new_id(at), new_id(at + later)
    assert first < second
    assert first.version == 7
    assert first.variant == "specified in RFC 4122"


def test_two_ids_of_one_moment_differ() -> None:
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert new_id(at) != new_id(at)
