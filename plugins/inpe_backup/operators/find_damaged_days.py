"""Which days an audit wants fetched again."""

from datetime import datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include import site_file
from include.audit.report import Audited
from include.ordinal_day import OrdinalDay
from include.plan import Window
from inpe_backup.leavings import Leavings
from inpe_backup.operators.backup_operator import BackupOperator


class FindDamagedDaysOperator(BackupOperator):
    """Gather the days whose newest revision was found damaged; skipped, with all that follows, without any.

    Args:
        plan_task: the id of the task that leaves a list of ``Batch``.
        audit_task: that of the mapped task that leaves an ``Audited`` for each of them.
    """

    def __init__(self, *, plan_task: str, audit_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_task = plan_task
        self.audit_task = audit_task

    def work(self, context: Context) -> dict[str, Any]:
        """Give a ``Window`` of these days as JSON."""
        left = Leavings(context)
        batches = range(len(left.result(self.plan_task) or ()))
        audited = [left.result(self.audit_task, index) for index in batches]
        bad = [one for found in audited if found for one in Audited.model_validate(found).damaged]
        days = {one.day for one in bad if one.day}
        lost = sorted(days - self.vault().sound(days)) if days else []
        if not lost:
            raise AirflowSkipException("No day is to be fetched again.")
        today = OrdinalDay.of(datetime.now(site_file.current().institute.zone))  # which nobody waits for
        return Window(own=today, answers_for=tuple(lost)).model_dump(mode="json")
