"""Mail a run's report."""

from collections.abc import Mapping, Sequence
from email.message import Message
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from types import MappingProxyType
from typing import Any

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import Context

from include.config import site_file
from include.report import Report, render_html, render_text, subject
from include.report.inline_pictures import Pictures
from include.report.pictures import mail_pictures


class EmailReportOperator(EmailOperator):
    """Mail a report to the site's recipients, as HTML with pictures and as plain text.

    Args:
        report: a ``Report`` as JSON.
    """

    template_fields: Sequence[str] = ("report", *EmailOperator.template_fields)

    def __init__(self, *, report: Any, **kwargs: Any) -> None:
        mail = site_file.current().mail
        super().__init__(to=mail.to, cc=mail.cc, conn_id=mail.smtp_conn_id, **kwargs)
        self.report = report

    def execute(self, context: Context) -> None:  # noqa: ARG002 - Airflow's signature
        """Send the mail."""
        built = Report.model_validate(self.report)
        pictures = Pictures.of(built, mail_pictures.drawn(built, self.log.warning))
        report = pictures.report
        with TwoFormsHook(self.conn_id, text=render_text(report), pictures=pictures.by_id) as hook:
            hook.send_email_smtp(
                to=self.to,
                cc=self.cc,
                subject=subject(report, prefix=site_file.current().mail.subject_prefix),
                html_content=render_html(report, pictures.drawn),
                from_email=hook.from_email,
                mime_subtype="alternative",
                custom_headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no vacation replies
            )


class TwoFormsHook(SmtpHook):
    """The provider's hook, with a text part before the HTML, which the hook can't add by itself.

    Args:
        conn_id: the connection of the mail server.
        text: the mail as plain text.
        pictures: the PNGs that the HTML shows, by their Content-IDs.
    """

    def __init__(
        self, conn_id: str, *, text: str, pictures: Mapping[str, bytes] = MappingProxyType({})
    ) -> None:
        super().__init__(conn_id)
        self._text = text
        self._pictures = pictures

    def _build_mime_message(self, *args: Any, **kwargs: Any) -> tuple[MIMEMultipart, list[str]]:
        message, recipients = super()._build_mime_message(*args, **kwargs)
        # RFC 2046, 5.1.4: the plainest alternative comes first.
        parts: list[Any] = list(message.get_payload())
        [html] = parts
        message.set_payload([MIMEText(self._text, "plain", "utf-8"), self._with_pictures(html)])
        return message, recipients

    def _with_pictures(self, html: Message) -> Message:
        """Return the HTML with its pictures, as multipart/related (RFC 2387)."""
        if not self._pictures:
            return html
        related = MIMEMultipart("related", type="text/html")
        related.attach(html)
        for name, png in self._pictures.items():
            part = MIMEImage(png, "png")
            part.add_header("Content-ID", f"<{name}>")
            part.add_header("Content-Disposition", "inline", filename=f"{name.partition('@')[0]}.png")
            related.attach(part)
        return related
