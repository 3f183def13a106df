"""The timetable under test, and helpers for its runs."""

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
    """Return the timetable of ``supim_daily``, or a variant."""
    return OrdinalDayTimetable(cron, timezone=zone, lag_days=lag_days)


def moment(written: str, zone: str = INSTITUTE) -> datetime:
    """Parse a local time of a zone."""
    return datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone))


def keys(runs: Iterable[DagRunInfo]) -> list[str]:
    """Return the partition keys of runs."""
    return [str(run.partition_key) for run in runs]


def at(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock of the timetable."""
    monkeypatch.setattr("inpe_backup.timetable.utcnow", lambda: now)


def days(first: date, last: date) -> list[str]:
    """Return each day of a range as a key, both ends included."""
    return [str(OrdinalDay.of(first + timedelta(days=n))) for n in range((last - first).days + 1)]
