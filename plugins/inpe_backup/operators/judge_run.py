"""Whether the run was good: its state must tell the truth even though the mail went out."""

from typing import Any

from airflow.sdk import Context

from include.errors import RunNotGoodError
from include.report import Report, headline, is_good
from inpe_backup.operators.backup_operator import BackupOperator


class JudgeRunOperator(BackupOperator):
    """Fail when the report says that a day isn't safe.

    Args:
        report: a ``Report`` as JSON.
    """

    template_fields = ("report",)

    def __init__(self, *, report: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report

    def work(self, context: Context) -> None:  # noqa: ARG002 - as the base says
        """Pass or fail.

        Raises:
            RunNotGoodError: in the report's own words.
        """
        report = Report.model_validate(self.report)
        self.log.info("%s", headline(report))
        if not is_good(report):
            raise RunNotGoodError(headline(report))
