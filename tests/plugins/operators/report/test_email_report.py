"""The mail as the server gets it: text, HTML, and the pictures that the HTML shows."""

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException

from include.config import site_file
from include.report import CoveredYear, Report
from include.report.pictures import day_maps
from include.results.states import Coverage
from include.status.space import CopiedBytes
from include.vault.vault import Vault
from inpe_backup.operators.report.email_report import EmailReportOperator
from tests.include.days.sample_days import DAY, lay
from tests.include.report.pictures import opened
from tests.include.report.sample_items import bad, copied, planned, report, safe, space
from tests.site import supim
from tests.site.smtp import MailServer

MAIL = {"to": "backup@institute.example", "users": {"ana": "ana@institute.example"}}
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
    site.write_text(yaml.safe_dump({"mail": MAIL, **rest}), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(site))
    site_file.current.cache_clear()
    with MailServer(tmp_path / "mail") as running:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(running.connection))
        yield running
    site_file.current.cache_clear()


def send(given: Report, user: str | None = None) -> None:
    """Send a report of a run that a user triggered."""
    context: Any = {"dag_run": SimpleNamespace(triggering_user_name=user, run_type="manual", conf=None)}
    EmailReportOperator(task_id="email_report", report=given.model_dump(mode="json")).execute(context)


def sent(server: MailServer, given: Report) -> EmailMessage:
    """Send a report, and return the mail."""
    send(given)
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
    fields = {"needs_action": ("Look.",), "years": (YEAR,), "space": space(copied=DATES)}
    mail = sent(server, report(safe("2026-268", own=True), **fields))

    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert shown(mail) == []
    assert "2026 by day of the year: 69 safe." in body(mail, "html")


def test_mails_of_a_day_have_their_own_ids_and_one_thread(server: MailServer) -> None:
    """A failed run's mail, and that of the run that made good."""
    send(report(bad("missing")))
    send(report())
    failed, good = server.mails()

    assert failed["Message-ID"] != good["Message-ID"]
    assert failed["References"] == good["References"] == "<days-2026-268.inpe-backup@institute.example>"
    assert failed["In-Reply-To"] == failed["References"]
    names = [name for mail in (failed, good) for name in mail.keys()]  # noqa: SIM118 - not a dict: repeated
    assert [names.count(name) for name in ("Message-ID", "Date", "References")] == [2, 2, 2]
    assert failed["Auto-Submitted"] == "auto-generated"


def test_a_dry_run_is_mailed_to_whoever_triggered_it(server: MailServer) -> None:
    """For anybody else the task is skipped, and says why."""
    dry_run = report(planned(), dry_run=True)
    send(dry_run, "ana")
    (mail,) = server.mails()
    assert (mail["To"], mail["X-Envelope-To"]) == ("ana@institute.example", "ana@institute.example")
    with pytest.raises(AirflowSkipException, match=r"mail\.users has no address of rui"):
        send(dry_run, "rui")
    assert len(server.mails()) == 1


def test_a_run_that_changed_nothing_skips_the_task_with_the_reason(server: MailServer) -> None:
    """It stays on the page, and the task isn't green."""
    with pytest.raises(AirflowSkipException, match=r"nothing changed, and mail\.when\.days is changes"):
        send(report(safe("2026-268", own=True)))
    assert not server.mails()


def test_a_mail_has_three_maps_and_names_the_others(server: MailServer, tmp_path: Path) -> None:
    """The run's own day has its map; no picture of another kind is left out."""
    archive, names = tmp_path / "vault", [f"2026-{number}" for number in range(264, 269)]
    archive.mkdir()
    for name in names:
        (archive / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
    maps = [
        copied(name, picture=str(archive / f"{name}.png"), picture_caption=f"TEC of {name}.")
        for name in names
    ]
    mail = sent(server, report(*maps, archive=str(archive), space=None))

    assert len(attached(mail)) == len(shown(mail)) == 3
    for kind in ("plain", "html"):
        text = "".join(body(mail, kind).split())
        assert all(f"TECof{name}." in text for name in names)
        assert "besidetheday:2026-267.png." in text
        assert f"{archive}/2026-267.png" not in text
    assert "2026-268.png" not in body(mail, "html")


def test_a_mail_links_to_the_page_beside_its_run(server: MailServer) -> None:
    """Below the same address, wherever Airflow is served."""
    mail = sent(server, report(run_url="https://airflow.example/at/dags/supim_daily/runs/x"))
    page = "https://airflow.example/at/plugin/backups"
    assert f'href="{page}"' in body(mail, "html")
    assert f"Page: {page}" in body(mail, "plain")
    assert report(run_url="https://airflow.example/run").page_url is None
