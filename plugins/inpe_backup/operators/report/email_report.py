"""Mail a run's report."""

from collections.abc import Sequence
from typing import Any

from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.config import site_file
from include.report import Report, render_html, render_text, subject
from include.report.delivery import Delivery, delivery
from include.report.inline_pictures import Pictures
from include.report.mail_thread import thread_of
from include.report.pictures import mail_pictures
from inpe_backup.mail_hook import TwoFormsHook


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
        report = Report.model_validate(self.report)
        mail, run = site_file.current().mail, context["dag_run"]
        self._send(report, delivery(report, mail, run.triggering_user_name))

    def _send(self, report: Report, delivered: Delivery) -> None:
        if delivered.reason:
            raise AirflowSkipException(delivered.reason)
        pictures = Pictures.of(report, mail_pictures.drawn(report, self.log.warning))
        report = pictures.report
        text, thread = render_text(report), thread_of(report)
        with TwoFormsHook(self.conn_id, text=text, thread=thread, pictures=pictures.by_id) as hook:
            hook.send_email_smtp(
                to=list(delivered.to),
                cc=list(delivered.cc),
                subject=subject(report, prefix=site_file.current().mail.subject_prefix),
                html_content=render_html(report, pictures.drawn),
                from_email=hook.from_email,
                mime_subtype="alternative",
            )
