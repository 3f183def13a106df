"""Send a report as a mail, or a few paragraphs."""

from collections.abc import Sequence
from typing import Any

from include.config import site_file
from include.report import Report, render_html, render_text, subject
from include.report.alarm import as_html, as_text
from include.report.delivery import Delivery
from include.report.inline_pictures import Pictures
from include.report.mail_thread import thread_of
from include.report.pictures import mail_pictures
from inpe_backup.mail_hook import TwoFormsHook


def send(report: Report, delivered: Delivery, log: Any) -> None:  # noqa: ANN401 - Airflow's logger
    """Send a report, with its pictures, to those that it is delivered to."""
    mail = site_file.current().mail
    pictures = Pictures.of(report, mail_pictures.drawn(report, log.warning))
    report = pictures.report
    text, thread = render_text(report), thread_of(report)
    with TwoFormsHook(mail.smtp_conn_id, text=text, thread=thread, pictures=pictures.by_id) as hook:
        hook.send_email_smtp(
            to=list(delivered.to),
            cc=list(delivered.cc),
            subject=subject(report, prefix=mail.subject_prefix),
            html_content=render_html(report, pictures.drawn),
            from_email=hook.from_email,
            mime_subtype="alternative",
        )


def send_paragraphs(subject: str, paragraphs: Sequence[str], *, thread: str, delivered: Delivery) -> None:
    """Send a few paragraphs, in a thread of mails."""
    conn_id = site_file.current().mail.smtp_conn_id
    with TwoFormsHook(conn_id, text=as_text(paragraphs), thread=thread) as hook:
        hook.send_email_smtp(
            to=list(delivered.to),
            cc=list(delivered.cc),
            subject=subject,
            html_content=as_html(paragraphs),
            from_email=hook.from_email,
            mime_subtype="alternative",
        )
