"""The rate limit, on a fake clock."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.scrub.throttle import StoppedError, Throttle


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def read(self) -> float:
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=30), st.floats(1e3, 1e9))
def test_reading_takes_exactly_as_long_as_the_rate_allows(counts: list[int], rate: float) -> None:
    """No faster, and no slower."""
    clock = Clock()
    throttle = Throttle(rate, clock.read, clock.sleep)
    for count in counts:
        throttle.take(count)
    assert clock.now - 1000 == pytest.approx(sum(counts) / rate, rel=1e-6, abs=1e-6)


def test_a_pause_doesnt_allow_a_burst() -> None:
    """Unused bytes aren't saved up."""
    clock = Clock()
    throttle = Throttle(100, clock.read, clock.sleep)
    throttle.take(100)
    clock.sleep(3600)
    before = clock.now
    throttle.take(500)
    assert clock.now - before == pytest.approx(5)


def test_threads_share_the_rate() -> None:
    """Each waits for the bytes of all that came before it."""
    waits: list[float] = []
    throttle = Throttle(1000, lambda: 0, waits.append)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(throttle.take, [100] * 20))
    assert sorted(waits) == pytest.approx([(number + 1) / 10 for number in range(20)])


def test_without_a_rate_there_is_no_waiting() -> None:
    """The clock isn't read."""

    def clock() -> float:
        raise AssertionError

    def sleep(_: float) -> None:
        raise AssertionError

    Throttle(None, clock, sleep).take(10**12)


@pytest.mark.parametrize("rate", [None, 1e9])
def test_a_stopped_throttle_raises_in_its_users(rate: float | None) -> None:
    """At their next call."""
    throttle = Throttle(rate)
    throttle.take(1)
    throttle.stop()
    with pytest.raises(StoppedError):
        throttle.take(1)
