"""A task that must wait frees its worker; where nobody knows how long, it waits longer each time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowRescheduleException

from include.errors import RescheduleError
from inpe_backup.operators.backup_operator import FIRST_WAIT_S, LONGEST_WAIT_S, BackupOperator, wait

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
