"""The three kinds of mail servers that env.example has: ports 587, 465 and 25; an authority of one's own."""

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from inpe_backup.mail_hook import TwoFormsHook
from tests.site.airflow_home import PROJECT
from tests.site.certificates import Authority
from tests.site.ports import LOOPBACK
from tests.site.smtp import LOGIN, PASSWORD, MailServer

FROM_THE_START = {"disable_ssl": False, "disable_tls": True}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The institute's authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


def example() -> dict[str, Any]:
    """Return the connection of the mail server in env.example."""
    text = (PROJECT / "env.example").read_text(encoding="utf-8")
    [connection] = re.findall(r"^# AIRFLOW_CONN_SMTP_DEFAULT='(.*)'$", text, re.MULTILINE)
    found: dict[str, Any] = json.loads(connection)
    return found


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, server: MailServer, **extra: object) -> Iterator[None]:
    """Run a server, with the example's connection to it, or one with another ``extra`` and no log-in."""
    connection = example()
    connection["extra"] |= {"retry_limit": 0, **extra}
    account = (None, None) if extra else (LOGIN, PASSWORD)
    with server:
        its = {"host": LOOPBACK, "port": server.port, "login": account[0], "password": account[1]}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection | its))
        yield


def send() -> None:
    """Send a mail."""
    with TwoFormsHook("smtp_default", text="Text", thread="a-day") as hook:
        hook.send_email_smtp(
            to="people@institute.example",
            subject="A report",
            html_content="<p>Text</p>",
            from_email=hook.from_email,
            mime_subtype="alternative",
        )


def test_port_587_with_starttls_a_login_and_the_institutes_ca(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As env.example has it; OpenSSL reads the variable that compose sets from CA_FILE."""
    server = MailServer(tmp_path, starttls=authority.server_context())
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    with connected(monkeypatch, server):
        send()
    [mail] = server.mails()
    assert mail["X-Envelope-From"] == example()["extra"]["from_email"]


def test_port_465_with_tls_from_the_start(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a log-in, because the server knows the machine; the hook would ask for STARTTLS on top."""
    server = MailServer(tmp_path, tls=authority.server_context())
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    with connected(monkeypatch, server, **FROM_THE_START):
        send()
    assert len(server.mails()) == 1


def test_port_25_without_tls_and_without_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the institute's own network."""
    server = MailServer(tmp_path)
    with connected(monkeypatch, server, disable_tls=True):
        send()
    assert len(server.mails()) == 1


@pytest.mark.parametrize("port", [465, 587])
def test_a_certificate_of_an_unknown_authority_is_refused(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """No mail and no password goes to a server that could be anybody's."""
    other = Authority(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.ca_file))
    context = authority.server_context()
    server = MailServer(tmp_path, **{"starttls" if port == 587 else "tls": context})
    extra = {} if port == 587 else FROM_THE_START
    with (
        connected(monkeypatch, server, **extra),
        pytest.raises(ssl.SSLError, match="certificate verify failed"),
    ):
        send()
    assert server.mails() == []
