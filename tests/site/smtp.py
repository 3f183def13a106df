"""A real SMTP server that stores all mail in a Maildir, readable by any mail program."""

import email
import mailbox
import ssl
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.site.ports import LOOPBACK, kept_port
from tests.site.switched import Switched

SENDER = "backup@institute.example"
LOGIN, PASSWORD = "backup", "not a secret"
"""The account of a server with STARTTLS."""
_READY_S = 10.0
_TIMEOUT_S = 10


class _Handler:
    """Stores each mail; aiosmtpd calls the method by its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Store a mail, with the envelope's recipients as ``X-Envelope-To``."""
        content = envelope.original_content or b""
        envelope_headers = (
            f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        )
        mailbox.Maildir(self._folder).add(envelope_headers.encode() + content)
        return "250 kept"


def _is_known(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, account: object
) -> AuthResult:
    return AuthResult(success=account == LoginPassword(LOGIN.encode(), PASSWORD.encode()), handled=False)


class MailServer(Switched):
    """An SMTP server on 127.0.0.1 in a thread of this process; a context manager.

    Args:
        folder: has ``Maildir/`` and the port, for the next start.
        starttls: what it speaks TLS with once a client asks for that, as on port 587; it then wants a log-in.
        tls: what it speaks TLS with from the start, as on port 465. Without either, it takes any mail.
    """

    def __init__(
        self, folder: Path, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.folder = folder.resolve()
        self._starttls, self._tls = starttls, tls
        self.port = 0
        self._controller: Controller | None = None

    @property
    def maildir(self) -> Path:
        """The folder of the mails."""
        return self.folder / "Maildir"

    @property
    def connection(self) -> dict[str, Any]:
        """The server as an Airflow connection in JSON form: no TLS, no log-in, no retry."""
        return {
            "conn_type": "smtp",
            "host": LOOPBACK,
            "port": self.port,
            "extra": {
                "from_email": SENDER,
                "disable_ssl": True,
                "disable_tls": True,
                "timeout": _TIMEOUT_S,
                "retry_limit": 0,
            },
        }

    def start(self) -> None:
        """Start the server, on its former port if that is free."""
        self.folder.mkdir(parents=True, exist_ok=True)
        mailbox.Maildir(self.maildir)
        self.port = kept_port(self.folder / "port")
        secured: dict[str, Any] = {
            "require_starttls": True,
            "auth_required": True,
            "authenticator": _is_known,
        }
        self._controller = Controller(
            _Handler(self.maildir),
            hostname=LOOPBACK,
            port=self.port,
            ready_timeout=_READY_S,
            ssl_context=self._tls,
            tls_context=self._starttls,
            **secured if self._starttls else {},
        )
        self._controller.start()

    def stop(self) -> None:
        """Stop the server, and keep the mails; do nothing if it doesn't run."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def mails(self) -> list[EmailMessage]:
        """Return all mails, oldest first."""
        files = [path for part in ("new", "cur") for path in (self.maildir / part).glob("*")]
        # File names in a Maildir don't sort by time within a second; modification times do.
        files.sort(key=lambda path: path.stat().st_mtime_ns)
        return [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]
