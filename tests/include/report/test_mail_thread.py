"""Mails of one day or week belong together; each has an id of its own."""

from include.report.mail_thread import headers, thread_of
from tests.include.report.sample_items import backup, bad, of_backups, report, weekly

SENDER = "INPE backup <backup@institute.example>"


def test_all_mails_of_a_day_reply_to_the_same_address() -> None:
    """A failed run, and the one that made good."""
    threads = {thread_of(report()), thread_of(report(bad("failed")))}
    assert threads == {"days-2026-268"}
    first, second = (headers("days-2026-268", SENDER) for _ in range(2))
    assert first["References"] == first["In-Reply-To"] == "<days-2026-268.inpe-backup@institute.example>"
    assert second["References"] == first["References"]
    assert first["Message-ID"] != second["Message-ID"]
    assert all(one["Message-ID"].endswith("@institute.example>") for one in (first, second))


def test_mails_without_a_day_belong_to_their_week() -> None:
    """Of one kind of run, by ISO weeks."""
    assert thread_of(weekly()) == "vms-2026-W39"
    assert thread_of(of_backups("scrub", backup("2026-268", "verified again"))) == "scrub-2026-W39"


def test_nothing_odd_gets_into_a_header() -> None:
    """A VM's id comes from its host."""
    assert headers("a\r\nBcc: b", "")["References"] == "<a-Bcc-b.inpe-backup@localhost>"
