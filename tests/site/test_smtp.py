"""The mail server is a real one, and stores all mail."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.site.smtp import MailServer


def send(server: MailServer, subject: str) -> None:
    """Send a mail."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = (
        subject,
        "backup@institute.example",
        "people@institute.example",
    )
    mail.set_content("São José dos Campos\n")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        client.send_message(mail)


def test_mails_are_stored_in_their_order_of_arrival(tmp_path: Path) -> None:
    """With their content and the envelope's recipient."""
    with MailServer(tmp_path) as server:
        for number in range(12):
            send(server, f"number {number}")
        mails = server.mails()

    assert [mail["Subject"] for mail in mails] == [f"number {number}" for number in range(12)]
    assert mails[0]["X-Envelope-To"] == "people@institute.example"
    assert mails[0].get_content().splitlines() == ["São José dos Campos"]


def test_a_stopped_server_refuses_mail_and_restarts_on_its_port(tmp_path: Path) -> None:
    """It keeps its mails."""
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
