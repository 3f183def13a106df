"""Mail a run's report."""

from collections.abc import Sequence
from typing import Any, NoReturn

from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.config import site_file
from include.report import Report
from include.report.delivery import delivery
from inpe_backup import report_mail
from inpe_backup.backfill_report import WATCHER, is_watched

_IN_DIGEST = (
    f"No mail was sent: this run belongs to a backfill. {WATCHER} sends one mail of all its runs when it "
    "ends."
)


class EmailReportOperator(EmailOperator):
    """Mail a report as HTML with pictures and as plain text, to whom it may concern; see ``delivery.py``.

    Where it concerns nobody, the task is skipped, and its log gives the reason.

    Args:
        report: a ``Report`` as JSON.
    """

    template_fields: Sequence[str] = ("report", *EmailOperator.template_fields)

    def __init__(self, *, report: Any, **kwargs: Any) -> None:
        mail = site_file.current().mail
        super().__init__(to=mail.to, cc=mail.cc, conn_id=mail.smtp_conn_id, **kwargs)
        self.report = report

    def execute(self, context: Context) -> None:
        """Send the mail.

        Raises:
            AirflowSkipException: none is to be sent; the message is the reason.
        """
        report, run = Report.model_validate(self.report), context["dag_run"]
        if is_watched(context):
            self._skip(_IN_DIGEST)
        delivered = delivery(report, site_file.current().mail, run.triggering_user_name)
        if delivered.reason:
            self._skip(delivered.reason)
        report_mail.send(report, delivered, self.log)

    def _skip(self, reason: str) -> NoReturn:
        self.log.info("%s", reason)  # Airflow doesn't log it
        raise AirflowSkipException(reason)
