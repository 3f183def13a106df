"""The day that a run is for. In partitioned runs ``logical_date`` is None, so use this instead."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay


def day_at(moment: datetime, *, zone: tzinfo, lag_days: int) -> OrdinalDay:
    """Return the day ``lag_days`` before the date of an aware ``moment`` in ``zone``."""
    return OrdinalDay.of(moment.astimezone(zone)) - lag_days


def day_of_run(context: Mapping[str, Any], *, timezone: str, lag_days: int) -> OrdinalDay:
    """Return the day of a task's run, from the first of these that is set.

    The run's partition key; the param ``day``, also as a date; the logical date (``airflow dags test DAG
    2026-09-25``); else, as in a scheduled run, ``lag_days`` before the run's ``run_after``.

    Args:
        context: Airflow's task context.
        timezone: the institute's time zone, for example ``America/Sao_Paulo``.
        lag_days: how many days a run's day lies before the date of the run.

    Raises:
        InvalidDayError: the key or the param isn't a day.
    """
    if (key := context.get("partition_key")) is not None:
        return OrdinalDay.parse(str(key))
    if (typed := context.get("params", {}).get("day")) is not None:
        return OrdinalDay.read(str(typed))
    zone = ZoneInfo(timezone)
    logical_date = context.get("logical_date")
    if logical_date is not None:
        # A bare date on the command line arrives as midnight UTC: still the day before in São Paulo.
        bare_date = logical_date.astimezone(UTC).time() == time.min
        return day_at(logical_date, zone=UTC if bare_date else zone, lag_days=0)
    return day_at(context["dag_run"].run_after, zone=zone, lag_days=lag_days)


def overruled_field(context: Mapping[str, Any]) -> str | None:
    """Return the param ``day`` if the run's partition key is another day, as in a backfill; else None."""
    key, typed = context.get("partition_key"), context.get("params", {}).get("day")
    if key is None or typed is None:
        return None
    with suppress(InvalidDayError):
        if str(OrdinalDay.read(str(typed))) == str(key):
            return None
    return str(typed)
