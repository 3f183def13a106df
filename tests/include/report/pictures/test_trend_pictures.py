"""Pictures of trends: each point is drawn; downtimes over the budget stand out by shape and colour."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from include.report import DowntimeHistory
from include.report.pictures.canvas import BLUE, VERMILION
from include.report.pictures.trend_pictures import copied, downtime
from include.status.space import CopiedBytes
from tests.include.report.pictures import count, opened

NEWEST = date(2026, 9, 27)


def row(*seconds: float, name: str = "maq1", budget_s: float = 60) -> DowntimeHistory:
    """Return a VM's downtimes, one per week."""
    first = datetime(2026, 7, 5, 5, tzinfo=UTC)
    instants = tuple(first + timedelta(weeks=week) for week in range(len(seconds)))
    return DowntimeHistory(name=name, budget_s=budget_s, instants=instants, seconds=seconds)


def test_a_downtime_over_the_budget_stands_out() -> None:
    """And no other downtime does."""
    within, over = (opened(downtime([row(10, 20, last, 20)], UTC)) for last in (59, 61))

    assert count(within, VERMILION) == 0
    assert count(over, VERMILION) > 40
    assert count(over, BLUE) < count(within, BLUE)


def test_each_vm_has_a_row() -> None:
    """Whatever its name and its downtimes."""
    odd = [row(0, 0, 0, name="$\\frac{1}{2}$", budget_s=0), row(1e6, 2, 3, name="<b>" * 90), row(1, 2, 3)]
    single, three = opened(downtime([row(1, 2, 3)], UTC)), opened(downtime(odd, UTC))

    assert three.height == single.height + 2 * 2 * 46
    assert len(downtime(odd * 3, UTC)) < 60_000


@pytest.mark.parametrize(
    "draw",
    [
        lambda: copied([CopiedBytes(on=NEWEST - timedelta(days=9), bytes=999 * 10**12)], NEWEST),
        lambda: copied([CopiedBytes(on=NEWEST, bytes=1)], date(2028, 2, 29)),
        lambda: downtime([row(1, 2, 86_399, budget_s=71_999, name="W" * 30)], UTC),
    ],
    ids=["much", "little", "downtime"],
)
def test_nothing_is_cut_off_at_an_edge(draw: Callable[[], bytes]) -> None:
    """Neither long dates nor long sizes nor long durations."""
    pixels = np.array(opened(draw()))
    pixels[8:-8, 8:-8] = 255
    assert pixels.min() > 240


def test_images_of_the_same_instant_are_drawn() -> None:
    """The time axis then has no length."""
    same = row(1, 2, 3).model_copy(update={"instants": (datetime(2026, 7, 5, tzinfo=UTC),) * 3})
    assert opened(downtime([same], UTC)).width == 2 * 576


def test_the_picture_of_copied_bytes_is_a_running_total() -> None:
    """An early copy fills more of the area below the line."""
    early, late = (
        [CopiedBytes(on=NEWEST - timedelta(days=back), bytes=amount) for back, amount in amounts]
        for amounts in (((30, 800), (10, 100), (0, 100)), ((30, 100), (10, 100), (0, 800)))
    )
    filled = [count(opened(copied(dates, NEWEST)), "#c4e5f7", 20) for dates in (early, late)]

    assert filled[0] > 3 * filled[1]


def test_days_without_copied_bytes_are_drawn() -> None:
    """As a line at zero."""
    dates = [CopiedBytes(on=NEWEST - timedelta(days=back), bytes=0) for back in (2, 1, 0)]
    assert len(copied(dates, NEWEST)) < 60_000
