"""Cron lines of the site file: when they fire next."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from include.config.section import next_run

ZONE = ZoneInfo("America/Sao_Paulo")
WEDNESDAY = datetime(2026, 11, 25, 12, 30, tzinfo=ZONE)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("cron", "fires"),
    [
        ("0 2 * * 0", datetime(2026, 11, 29, 2, tzinfo=ZONE)),
        ("0 2 * * 7", datetime(2026, 11, 29, 2, tzinfo=ZONE)),
        ("0 2 * * SUN", datetime(2026, 11, 29, 2, tzinfo=ZONE)),
        ("5 3 * * 1", datetime(2026, 11, 30, 3, 5, tzinfo=ZONE)),
        ("31 12 * * WED", datetime(2026, 11, 25, 12, 31, tzinfo=ZONE)),
        ("30 12 * * 3", datetime(2026, 12, 2, 12, 30, tzinfo=ZONE)),  # the minute has begun already
        ("0 12 * * 3", datetime(2026, 12, 2, 12, tzinfo=ZONE)),
    ],
)
def test_a_weekly_line_fires_next_after_a_moment(cron: str, fires: datetime) -> None:
    """Within a week, on its day, in every notation."""
    assert next_run(cron, WEDNESDAY) == fires


def test_a_weekly_line_fires_by_local_time() -> None:
    """Also across the end of summer time, when a week is an hour longer."""
    before = datetime(2026, 10, 18, 2, tzinfo=BERLIN)
    after = next_run("0 2 * * 0", before)
    later = next_run("0 4 * * 0", after)
    assert [(moment.day, moment.hour) for moment in (after, later)] == [(25, 2), (25, 4)]
    assert later.utcoffset() == timedelta(hours=1)
