"""The one way to send a mail: in two forms, with pictures, in the thread of its day or week."""

from collections.abc import Mapping
from email.message import Message
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from types import MappingProxyType
from typing import Any

from airflow.providers.smtp.hooks.smtp import SmtpHook

from include.report.mail_thread import headers


class TwoFormsHook(SmtpHook):
    """The provider's hook, with a text part before the HTML and with threads, which the hook lacks.

    Args:
        conn_id: the connection of the mail server.
        text: the mail as plain text.
        thread: what all mails of the same day or week have in common.
        pictures: the PNGs that the HTML shows, by their Content-IDs.
    """

    def __init__(
        self,
        conn_id: str,
        *,
        text: str,
        thread: str,
        pictures: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        super().__init__(conn_id)
        self._text = text
        self._thread = thread
        self._pictures = pictures

    def _build_mime_message(  # the provider has no other place to add a part
        self,
        *args: Any,  # noqa: ANN401 - as the base class has them
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> tuple[MIMEMultipart, list[str]]:
        message, recipients = super()._build_mime_message(*args, **kwargs)
        for name, value in headers(self._thread, str(message["From"])).items():
            message[name] = value
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
