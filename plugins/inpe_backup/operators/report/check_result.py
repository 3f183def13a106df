"""Fail a run whose report is bad, although the mail was sent."""

from typing import Any

from airflow.sdk import Context

from include.errors import RunFailedError
from include.report import Report, headline, is_good, summary
from inpe_backup.only_logged import only_logged
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.run_note import NOTE


class CheckResultOperator(BackupOperator):
    """Fail if the report says that something isn't safe, and push its one-line summary for the run's note.

    Args:
        report: a ``Report`` as JSON.
    """

    template_fields = ("report",)

    def __init__(self, *, report: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report

    def work(self, context: Context) -> None:
        """Check the report.

        Raises:
            RunFailedError: the run failed; the message is the report's headline.
        """
        report = Report.model_validate(self.report)
        self.log.info("%s", headline(report))
        with only_logged(self.log, "The run gets no note."):
            context["ti"].xcom_push(NOTE, summary(report))
        if not is_good(report):
            raise RunFailedError(headline(report))
