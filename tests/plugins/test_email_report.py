"""The mail as a mail server gets it: text, HTML, and the pictures that the HTML shows."""

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from include import site_file
from include.pictures import day_maps
from include.report import CopiedBytes, Coverage, CoveredYear, Report
from include.vault import Vault
from inpe_backup.operators.email_report import EmailReportOperator
from tests.include.days import DAY, lay
from tests.include.pictures import opened
from tests.include.report.facts import copied, report, safe, space
from tests.site import supim
from tests.site.smtp import MailServer

YEAR = CoveredYear.of(2026, dict.fromkeys(range(200, 269), Coverage.SAFE))
DATES = tuple(CopiedBytes(on=date(2026, 9, 25) + timedelta(days=day), bytes=9) for day in range(3))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server, and a site that mails by it."""
    site = tmp_path / "site.yaml"
    rest = {"vault": {"path": str(tmp_path / "vault")}, "supim": {"source": {"root": "/data/supim"}}}
    site.write_text(yaml.safe_dump({"mail": {"to": "backup@institute.example"}, **rest}), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(site))
    site_file.current.cache_clear()
    with MailServer(tmp_path / "mail") as running:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(running.connection))
        yield running
    site_file.current.cache_clear()


def sent(server: MailServer, given: Report) -> EmailMessage:
    """Mail a report, and give the mail."""
    context: Any = {}
    EmailReportOperator(task_id="email_report", report=given.model_dump(mode="json")).execute(context)
    (mail,) = server.mails()
    return mail


def carried(mail: EmailMessage) -> list[tuple[str, bytes]]:
    """Give the pictures of a mail, each with the name by which its HTML may show it."""
    images = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    return [(str(part["Content-ID"]).strip("<>"), part.get_payload(decode=True)) for part in images]  # type: ignore[misc]


def body(mail: EmailMessage, kind: str) -> str:
    """Give the HTML or the plain text."""
    part = mail.get_body((kind,))
    assert part
    return str(part.get_content())


def shown(mail: EmailMessage) -> list[str]:
    """Give what the HTML shows."""
    return re.findall(r'src="cid:([^"]+)"', body(mail, "html"))


def test_each_picture_is_carried_once_and_shown_once(server: MailServer, tmp_path: Path) -> None:
    """The day's map from the vault, the year and what was copied; and the text says the same."""
    vault = Vault.create(tmp_path / "vault")
    published = lay(vault)
    supim.write_day(published.year_folder, DAY, folder=published.folder)
    facts = {"years": (YEAR,), "space": space(copied=DATES), "archive": str(vault.root)}
    mail = sent(server, day_maps.with_maps(report(copied(), **facts), vault))
    names = [name for name, _ in carried(mail)]

    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "multipart/related"]
    assert len(names) == 3
    assert sorted(shown(mail)) == sorted(set(names))
    assert published.picture.read_bytes() in [png for _, png in carried(mail)]
    assert all(opened(png).width > 900 and len(png) < 60_000 for _, png in carried(mail))
    alts = re.findall(r'alt="([^"]+)"', body(mail, "html"))
    text = " ".join(body(mail, "plain").split())
    assert len(alts) == 3
    assert all(alt in text for alt in alts)


def test_a_run_without_news_sends_no_pictures(server: MailServer) -> None:
    """Its mail is text and HTML alone, with the same words."""
    mail = sent(server, report(safe("2026-268", own=True), years=(YEAR,), space=space(copied=DATES)))

    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert shown(mail) == []
    assert "2026 by day of the year: 69 safe." in body(mail, "html")
