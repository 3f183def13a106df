"""A run of days that was started without a partition key carries it once it starts."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.timetables.simple import NullTimetable

from inpe_backup import run_partition
from tests.plugins.timetables import moment, timetable


def started(*, key: str | None = None, conf: Any = None, schedule: Any = None) -> tuple[Any, Any]:  # noqa: ANN401 - as in a run
    """Start a run of 27 September 2026, and return its partition key and date."""
    run: Any = SimpleNamespace(
        dag_id="a_dag",
        run_id="by hand",
        dag=SimpleNamespace(timetable=schedule or timetable()),
        partition_key=key,
        partition_date=None,
        conf=conf,
        logical_date=None,
        run_after=datetime(2026, 9, 27, 12, tzinfo=UTC),
    )
    run_partition.on_dag_run_running(run)
    return run.partition_key, run.partition_date


@pytest.mark.parametrize("day", ["2026-200", "2026-07-19"])
def test_its_key_is_the_day_in_the_form(day: str) -> None:
    """In the one form that keys have; its date is as if it had been started by key."""
    assert started(conf={"day": day}) == ("2026-200", moment("2026-07-19 00:00"))


@pytest.mark.parametrize("conf", [None, {}, {"day": None, "dry_run": True}])
def test_without_a_day_its_key_is_the_newest_day_due(conf: object) -> None:
    """As the run's tasks choose it."""
    assert started(conf=conf)[0] == "2026-268"


def test_a_key_stays() -> None:
    """It comes before the form's day."""
    assert started(key="2026-100", conf={"day": "2026-200"}) == ("2026-100", None)


def test_a_day_that_is_none_gives_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """The run starts all the same, and its first task reports what is wrong."""
    assert started(conf={"day": "2026-366"}) == (None, None)
    assert "The run by hand of a_dag got no partition key." in caplog.text
    assert "There is no day 366 in 2026" in caplog.text


def test_runs_of_other_dags_are_left_alone() -> None:
    """Airflow calls the listener for every DAG."""
    assert started(conf={"day": "2026-200"}, schedule=NullTimetable()) == (None, None)
