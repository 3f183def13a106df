"""The forecast of space."""

from datetime import timedelta

import pytest

from include.status.forecast import forecast
from include.status.view import VaultView, fold
from tests.sample_status import NOW, published, rules


def measured(*used: int, every: int = 1) -> VaultView:
    """Return a view with measurements of used space, some days apart, the last one now."""
    times = [NOW - timedelta(days=every * back) for back in reversed(range(len(used)))]
    [view] = fold(published(rules(each), at) for each, at in zip(used, times, strict=True))
    return view


def test_the_forecast_extrapolates_the_last_weeks_to_the_reserve() -> None:
    """With a least-squares line."""
    terabyte = 10**12
    found = forecast(measured(8 * terabyte, 9 * terabyte, 10 * terabyte, every=10))
    assert found.growth_bytes_per_day == pytest.approx(terabyte / 10)
    assert found.days_left == 14
    assert found.sentence.startswith(
        "Usage grows by 100 GB a day. The free space lasts 14 days, until December 2026."
    )


def test_a_vault_that_shrinks_is_never_full() -> None:
    """So there is no date."""
    assert forecast(measured(10**12, 10**11, every=9)).sentence == "Usage is not growing."


def test_two_measurements_of_one_day_are_no_trend() -> None:
    """Until measurements span a week, the worker's own growth counts."""
    assert forecast(measured(10**12)).growth_bytes_per_day == 2_400_000_000
