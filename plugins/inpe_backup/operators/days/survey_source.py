"""Survey the source."""

from typing import Any

from airflow.sdk import Context

from include.days.plan import DayWindow
from inpe_backup.connections import supim_source
from inpe_backup.operators.backup_operator import BackupOperator


class SurveySourceOperator(BackupOperator):
    """Survey a run's days at the source, in one round trip over SSH.

    Args:
        ssh_conn_id: the source's connection.
        window: a ``DayWindow`` as JSON.
    """

    template_fields = ("window",)

    def __init__(self, *, ssh_conn_id: str, window: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ssh_conn_id = ssh_conn_id
        self.window = window

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - from the base class
        """Return a ``SourceDay`` as JSON for each day."""
        days = DayWindow.model_validate(self.window).days
        with supim_source(self.ssh_conn_id) as source:
            source_days = list(source.survey(days).values())
        for day in source_days:
            self.log.info("%s is %s at the source. %s", day.day, day.state, day.reason)
        return [day.model_dump(mode="json") for day in source_days]
