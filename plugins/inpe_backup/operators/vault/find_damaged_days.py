"""Find the damaged days that are to be fetched again from their source."""

from datetime import datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.config import site_file
from include.days.archive import DayArchive
from include.days.plan import DayWindow
from include.ordinal_day import OrdinalDay
from include.scrub.results import ScrubbedBatch
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.xcom import TaskResults


class FindDamagedDaysOperator(BackupOperator):
    """Collect the days that have no undamaged revision left; without any, skip this task and those after it.

    Args:
        plan_task: the id of the task that returns a list of ``ScrubBatch``.
        scrub_task: the id of the mapped task that returns a ``ScrubbedBatch`` for each of them.
    """

    def __init__(self, *, plan_task: str, scrub_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_task = plan_task
        self.scrub_task = scrub_task

    def work(self, context: Context) -> dict[str, Any]:
        """Return a ``DayWindow`` of these days as JSON."""
        results = TaskResults(context)
        batches = range(len(results.result(self.plan_task) or ()))
        scrubbed = [results.result(self.scrub_task, index) for index in batches]
        damaged = [
            found for batch in scrubbed if batch for found in ScrubbedBatch.model_validate(batch).damaged
        ]
        days = {found.day for found in damaged if found.day}
        lost = sorted(days - DayArchive(self.vault()).undamaged(days)) if days else []
        if not lost:
            raise AirflowSkipException("No day has to be fetched again.")
        today = OrdinalDay.of(datetime.now(site_file.current().institute.zone))  # not among the days to fetch
        return DayWindow(own=today, responsible_for=tuple(lost)).model_dump(mode="json")
