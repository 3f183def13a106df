"""The mail server is a real one, and keeps what it gets."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.site.smtp import MailServer


def send(server: MailServer, subject: str) -> None:
    """Send one mail, as the report's sender does."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = (
        subject,
        "backup@institute.example",
        "people@institute.example",
    )
    mail.set_content("São José dos Campos\n")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        client.send_message(mail)


def test_mails_are_kept_in_the_order_they_came(tmp_path: Path) -> None:
    """Whole, with whom the envelope named."""
    with MailServer(tmp_path) as server:
        for number in range(12):
            send(server, f"number {number}")
        mails = server.mails()

    assert [mail["Subject"] for mail in mails] == [f"number {number}" for number in range(12)]
    assert mails[0]["X-Envelope-To"] == "people@institute.example"
    assert mails[0].get_content().splitlines() == ["São José dos Campos"]


def test_a_server_that_is_down_refuses_and_comes_back_on_its_port(tmp_path: Path) -> None:
    """What the 'mail server down' test needs; mails survive it."""
    server = MailServer(tmp_path)
    server.start()
    port = server.port
    send(server, "before")
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        send(server, "lost")
    server.start()
    send(server, "after")
    server.stop()

    assert server.port == port
    assert server.connection["port"] == port
    assert [mail["Subject"] for mail in server.mails()] == ["before", "after"]
