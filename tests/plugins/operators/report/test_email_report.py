"""The mail as the server gets it: text, HTML, and the pictures that the HTML shows."""

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.config import site_file
from include.report import CoveredYear, Report
from include.report.pictures import day_maps
from include.results.states import Coverage
from include.status.space import CopiedBytes
from include.vault.vault import Vault
from inpe_backup.operators.report.email_report import EmailReportOperator
from tests.include.days.sample_days import DAY, lay
from tests.include.report.pictures import opened
from tests.include.report.sample_items import copied, report, safe, space
from tests.site import supim
from tests.site.smtp import MailServer

YEAR = CoveredYear.of(2026, dict.fromkeys(range(200, 269), Coverage.SAFE))
DATES = tuple(CopiedBytes(on=date(2026, 9, 25) + timedelta(days=day), bytes=9) for day in range(3))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server, and a site file that sends mail through it."""
    site = tmp_path / "site.yaml"
    rest = {
        "vaults": {"main": {"path": str(tmp_path / "vault")}},
        "datasets": {"supim": {"source": {"root": "/data/supim"}}},
    }
    site.write_text(yaml.safe_dump({"mail": {"to": "backup@institute.example"}, **rest}), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(site))
    site_file.current.cache_clear()
    with MailServer(tmp_path / "mail") as running:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(running.connection))
        yield running
    site_file.current.cache_clear()


def sent(server: MailServer, given: Report) -> EmailMessage:
    """Send a report, and return the mail."""
    context: Any = {}
    EmailReportOperator(task_id="email_report", report=given.model_dump(mode="json")).execute(context)
    (mail,) = server.mails()
    return mail


def attached(mail: EmailMessage) -> list[tuple[str, bytes]]:
    """Return the pictures of a mail, each with its Content-ID."""
    images = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    return [(str(part["Content-ID"]).strip("<>"), part.get_payload(decode=True)) for part in images]  # type: ignore[misc]


def body(mail: EmailMessage, kind: str) -> str:
    """Return the HTML or the plain text of a mail."""
    part = mail.get_body((kind,))
    assert part
    return str(part.get_content())


def shown(mail: EmailMessage) -> list[str]:
    """Return the Content-IDs of the pictures that the HTML shows."""
    return re.findall(r'src="cid:([^"]+)"', body(mail, "html"))


def test_each_picture_is_attached_once_and_shown_once(server: MailServer, tmp_path: Path) -> None:
    """The day's map, the year and what was copied; the text describes them."""
    vault = Vault.create(tmp_path / "vault")
    published = lay(vault)
    supim.write_day(published.year_folder, DAY, folder=published.folder)
    fields = {"years": (YEAR,), "space": space(copied=DATES), "archive": str(vault.root)}
    mail = sent(server, day_maps.with_maps(report(copied(), **fields), vault))
    names = [name for name, _ in attached(mail)]

    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "multipart/related"]
    assert len(names) == 3
    assert sorted(shown(mail)) == sorted(set(names))
    assert published.picture.read_bytes() in [png for _, png in attached(mail)]
    assert all(opened(png).width > 900 and len(png) < 60_000 for _, png in attached(mail))
    alts = re.findall(r'alt="([^"]+)"', body(mail, "html"))
    text = " ".join(body(mail, "plain").split())
    assert len(alts) == 3
    assert all(alt in text for alt in alts)


def test_a_run_that_had_nothing_to_do_sends_no_pictures(server: MailServer) -> None:
    """Its mail is text and HTML alone."""
    mail = sent(server, report(safe("2026-268", own=True), years=(YEAR,), space=space(copied=DATES)))

    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert shown(mail) == []
    assert "2026 by day of the year: 69 safe." in body(mail, "html")
