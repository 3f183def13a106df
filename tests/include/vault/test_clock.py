"""Times in the future, which a wrong clock wrote."""

from datetime import UTC, datetime, timedelta

from include.vault.clock import TOLERANCE, is_ahead, trusted_first

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_time_is_in_the_future_beyond_what_clocks_differ() -> None:
    """By the given time, or by this machine's clock."""
    assert not is_ahead(NOW + TOLERANCE, NOW)
    assert is_ahead(NOW + TOLERANCE + MINUTE, NOW)
    assert is_ahead(datetime.now(UTC) + 2 * TOLERANCE)
    assert not is_ahead(datetime.now(UTC))


def test_times_in_the_future_sort_before_all_others() -> None:
    """As if they were the oldest."""
    future, before, last = NOW + timedelta(days=4000), NOW - MINUTE, NOW
    assert sorted([last, future, before], key=lambda when: trusted_first(when, NOW)) == [future, before, last]
