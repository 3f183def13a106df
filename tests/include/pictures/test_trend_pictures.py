"""Trends: each point is drawn, and what is too long stands out by its shape and its colour."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from include.pictures.canvas import BLUE, VERMILION
from include.pictures.trend_pictures import copied, downtime
from include.report import CopiedBytes, Downtimes
from tests.include.pictures import count, opened

NEWEST = date(2026, 9, 27)


def row(*seconds: float, name: str = "maq1", budget_s: float = 60) -> Downtimes:
    """Give a machine that was down so long, week after week."""
    first = datetime(2026, 7, 5, 5, tzinfo=UTC)
    instants = tuple(first + timedelta(weeks=week) for week in range(len(seconds)))
    return Downtimes(name=name, budget_s=budget_s, instants=instants, seconds=seconds)


def test_a_downtime_over_the_budget_stands_out() -> None:
    """And only such a one."""
    within, over = (opened(downtime([row(10, 20, last, 20)])) for last in (59, 61))

    assert count(within, VERMILION) == 0
    assert count(over, VERMILION) > 40
    assert count(over, BLUE) < count(within, BLUE)


def test_each_machine_has_a_row() -> None:
    """Whatever it's called, and whatever its downtimes are."""
    odd = [row(0, 0, 0, name="$\\frac{1}{2}$", budget_s=0), row(1e6, 2, 3, name="<b>" * 90), row(1, 2, 3)]
    one, three = opened(downtime([row(1, 2, 3)])), opened(downtime(odd))

    assert three.height == one.height + 2 * 2 * 46
    assert len(downtime(odd * 3)) < 60_000


@pytest.mark.parametrize(
    "draw",
    [
        lambda: copied([CopiedBytes(on=NEWEST - timedelta(days=9), bytes=999 * 10**12)], NEWEST),
        lambda: copied([CopiedBytes(on=NEWEST, bytes=1)], date(2028, 2, 29)),
        lambda: downtime([row(1, 2, 86_399, budget_s=71_999, name="W" * 30)]),
    ],
    ids=["much", "little", "downtime"],
)
def test_nothing_is_cut_off_at_an_edge(draw: Callable[[], bytes]) -> None:
    """Dates, sizes and durations end before it, however long they are."""
    dots = np.array(opened(draw()))
    dots[8:-8, 8:-8] = 255
    assert dots.min() > 240


def test_images_of_one_instant_are_drawn() -> None:
    """Time may stand still between them, as far as their records say."""
    same = row(1, 2, 3).model_copy(update={"instants": (datetime(2026, 7, 5, tzinfo=UTC),) * 3})
    assert opened(downtime([same])).width == 2 * 576


def test_what_was_copied_adds_up() -> None:
    """More in the beginning means more below the line."""
    early, late = (
        [CopiedBytes(on=NEWEST - timedelta(days=back), bytes=amount) for back, amount in amounts]
        for amounts in (((30, 800), (10, 100), (0, 100)), ((30, 100), (10, 100), (0, 800)))
    )
    filled = [count(opened(copied(dates, NEWEST)), "#c4e5f7", 20) for dates in (early, late)]

    assert filled[0] > 3 * filled[1]


def test_nothing_copied_is_drawn_as_nothing() -> None:
    """Days of no bytes are days, too."""
    dates = [CopiedBytes(on=NEWEST - timedelta(days=back), bytes=0) for back in (2, 1, 0)]
    assert len(copied(dates, NEWEST)) < 60_000
