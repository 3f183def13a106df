"""A task that must wait frees its worker; where nobody knows how long, it waits longer each time."""

import fcntl
import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowRescheduleException

from include.errors import BackupError, NoSpaceError, RescheduleError
from inpe_backup.operators.backup_operator import FIRST_WAIT_S, LONGEST_WAIT_S, BackupOperator, wait
from inpe_backup.task_lock import lock_file

BUSY = RescheduleError("Another run is busy.")


class BusyOperator(BackupOperator):
    """A task that must wait."""

    def work(self, context: Context) -> Any:  # noqa: ANN401, ARG002 - the base's signature
        """Raise the error."""
        raise BUSY


def test_waits_grow_up_to_a_limit() -> None:
    """From ten seconds to five minutes, so that a hundred waiting tasks leave the workers to others."""
    waits = [wait(BUSY, before).total_seconds() for before in (0, 4, 10, 5000)]

    assert 0.8 * FIRST_WAIT_S <= waits[0] <= 1.2 * FIRST_WAIT_S
    assert waits == sorted(waits[:2]) + waits[2:]
    assert all(0.8 * LONGEST_WAIT_S <= longest <= 1.2 * LONGEST_WAIT_S for longest in waits[2:])


def test_tasks_that_wait_together_dont_come_back_together() -> None:
    """Their waits differ."""
    assert len({wait(BUSY, 3) for _ in range(20)}) == 20


def test_a_known_time_is_kept() -> None:
    """A day that isn't complete is looked at again as the site file says."""
    later = RescheduleError("Not complete yet.", retry_in_s=1800)
    assert {wait(later, before).total_seconds() for before in (0, 9)} == {1800}


def test_a_busy_task_is_rescheduled() -> None:
    """It frees its worker meanwhile."""
    context: Any = {"task_reschedule_count": 4}
    began = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        BusyOperator(task_id="busy").execute(context)

    assert 40 <= (rescheduled.value.reschedule_date - began).total_seconds() <= 62


class FailingOperator(BackupOperator):
    """A task that fails, of an error with a cause."""

    error: Exception
    log: Any = logging.getLogger("task")

    def work(self, context: Context) -> Any:  # noqa: ANN401, ARG002 - the base's signature
        """Raise the error."""
        try:
            Path("/dev/null/x").read_bytes()
        except NotADirectoryError as cause:
            raise self.error from cause


def test_a_task_that_publishes_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow writes its events after that; test_on_postgres.py shows why."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    BusyOperator(task_id="quiet").post_execute({})
    assert not lock_file("events").exists()
    BusyOperator(task_id="publishes", outlets=[Asset("supim_days")]).post_execute({})
    with lock_file("events").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Ti:
    """A task instance that takes what is pushed."""

    def xcom_push(self, key: str, value: object) -> None:
        """Take it."""


def failed_with(error: Exception, caplog: pytest.LogCaptureFixture) -> tuple[list[str], str]:
    """Run a task that fails; return the red lines of its log before Airflow's, and what Airflow adds."""
    operator = FailingOperator(task_id="fails")
    operator.error = error
    caplog.clear()
    with pytest.raises(type(error)) as raised:
        operator.execute({"ti": Ti()})  # type: ignore[typeddict-item]
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    return lines, "".join(traceback.format_exception(raised.value))


def test_the_message_is_the_first_red_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Airflow logs the traceback after it; of an error for people, it is short and without its causes."""
    assert issubclass(NoSpaceError, BackupError)
    lines, rest = failed_with(NoSpaceError("The vault is full."), caplog)

    assert lines == ["The vault is full."]
    assert "NotADirectoryError" not in rest
    assert "in work" not in rest


def test_an_unexpected_error_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """It's for whoever mends the code."""
    lines, rest = failed_with(KeyError("disk"), caplog)

    assert lines == ["'disk'"]
    assert "in work" in rest
    assert "NotADirectoryError" in rest
