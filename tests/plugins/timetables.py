"""The timetable under test, and what tests ask it."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from airflow.timetables.base import DagRunInfo

from include.ordinal_day import OrdinalDay
from inpe_backup.timetable import OrdinalDayTimetable

INSTITUTE = "America/Sao_Paulo"
CRONS = ("30 6 * * *", "0 0 * * *", "30 0 * * *", "30 2 * * *", "30 23 * * *")


def timetable(cron: str = "30 6 * * *", *, zone: str = INSTITUTE, lag_days: int = 2) -> OrdinalDayTimetable:
    """Give the daily DAG's timetable, or one that differs from it."""
    return OrdinalDayTimetable(cron, timezone=zone, lag_days=lag_days)


def moment(written: str, zone: str = INSTITUTE) -> datetime:
    """Read an instant that was written on the clock of a zone."""
    return datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone))


def keys(runs: Iterable[DagRunInfo]) -> list[str]:
    """Give the days of the runs, as written."""
    return [str(run.partition_key) for run in runs]


def at(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock that the timetable looks at."""
    monkeypatch.setattr("inpe_backup.timetable.utcnow", lambda: now)


def days(first: date, last: date) -> list[str]:
    """Give every day of a range as it's written, both ends included."""
    return [str(OrdinalDay.of(first + timedelta(days=n))) for n in range((last - first).days + 1)]
