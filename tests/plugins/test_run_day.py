"""The day that a run is for."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from inpe_backup.run_day import day_at, day_of_run, overruled_field

INSTITUTE = ZoneInfo("America/Sao_Paulo")


def day(*, key: str | None = None, run_after: datetime | None = None, **context: Any) -> str:  # noqa: ANN401 - as in a context
    """Return the day of a run of 27 September 2026, 06:30 in São Paulo."""
    due = run_after or datetime(2026, 9, 27, 6, 30, tzinfo=INSTITUTE)
    usual: dict[str, Any] = {
        "partition_key": key,
        "params": {"day": None},
        "dag_run": SimpleNamespace(run_after=due.astimezone(UTC)),
    }
    return str(day_of_run(usual | context, timezone="America/Sao_Paulo", lag_days=2))


def test_the_partition_key_comes_first() -> None:
    """Before a param and a logical date."""
    assert (
        day(key="2026-100", params={"day": "2026-200"}, logical_date=datetime(2026, 9, 1, tzinfo=UTC))
        == "2026-100"
    )


def test_the_param_day_comes_next() -> None:
    """Not every way to start a run has a key."""
    assert day(params={"day": "2026-200"}, logical_date=datetime(2026, 9, 1, tzinfo=UTC)) == "2026-200"


def test_the_param_day_may_be_a_date() -> None:
    """A partition key may not: the timetable writes it in one form."""
    assert day(params={"day": "2026-07-19"}) == "2026-200"
    with pytest.raises(InvalidDayError):
        day(key="2026-07-19")


def test_a_logical_date_stands_for_its_day_in_the_institutes_zone() -> None:
    """At 02:00 UTC it's still the day before in São Paulo."""
    assert day(logical_date=datetime(2026, 9, 25, 2, 0, tzinfo=UTC)) == "2026-267"
    assert day(logical_date=datetime(2026, 9, 25, 0, 0, tzinfo=INSTITUTE)) == "2026-268"


def test_a_bare_logical_date_is_taken_as_written() -> None:
    """``airflow dags test DAG 2026-09-25`` passes midnight UTC."""
    assert day(logical_date=datetime(2026, 9, 25, tzinfo=UTC)) == "2026-268"


def test_any_other_run_has_the_day_of_a_scheduled_run() -> None:
    """By the date in the institute's zone: at 22:00 in São Paulo it's already tomorrow in UTC."""
    assert day() == "2026-268"
    assert day(logical_date=None) == "2026-268"
    assert day(run_after=datetime(2026, 9, 27, 22, 0, tzinfo=INSTITUTE)) == "2026-268"
    assert day(run_after=datetime(2027, 1, 1, 6, 30, tzinfo=INSTITUTE)) == "2026-364"


def test_a_context_without_params_is_enough() -> None:
    """Callbacks get a smaller context than tasks."""
    run = SimpleNamespace(run_after=datetime(2026, 9, 27, 9, 30, tzinfo=UTC))
    assert str(day_of_run({"dag_run": run}, timezone="America/Sao_Paulo", lag_days=0)) == "2026-270"


@pytest.mark.parametrize("written", ["2026-366", "2026-68", "x", "", 268])
def test_a_param_that_is_no_day_is_refused(written: object) -> None:
    """Backing up another day would be worse."""
    with pytest.raises(InvalidDayError):
        day(params={"day": written})


def test_a_field_that_the_key_overrules_is_named() -> None:
    """As in a backfill, whose dates decide; not if both are the same day, or the field is empty."""
    given = {"partition_key": "2026-268", "params": {"day": "2026-200"}}
    assert overruled_field(given) == "2026-200"
    for typed in (None, "2026-268", "2026-09-25"):
        assert overruled_field(given | {"params": {"day": typed}}) is None
    assert overruled_field(given | {"partition_key": None}) is None
    assert overruled_field({"partition_key": "2026-268"}) is None


def test_a_key_that_is_no_day_is_refused() -> None:
    """Even in a run that was created before the timetable refused such keys."""
    with pytest.raises(InvalidDayError, match="2026-68"):
        day(key="2026-68", params={"day": "2026-200"})


def test_the_day_of_a_moment_depends_on_the_zone() -> None:
    """The same instant, two zones, two days."""
    instant = datetime(2026, 9, 27, 1, 0, tzinfo=UTC)
    assert day_at(instant, zone=UTC, lag_days=0) == OrdinalDay(2026, 270)
    assert day_at(instant, zone=INSTITUTE, lag_days=1) == OrdinalDay(2026, 268)
