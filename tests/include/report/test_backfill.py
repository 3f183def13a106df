"""One report for all runs of a backfill."""

from typing import Any

from include.config import site_file
from include.report import Report, headline, is_good, overall, render_html, render_text, subject
from include.report.backfill import BackfillRuns
from include.report.mail_thread import thread_of
from include.results.states import State
from tests.include.report.daily_runs import NOW
from tests.include.report.sample_items import bad, copied, planned, report, safe

NAMES = ("2026-001", "2026-002", "2026-003")


def of_day(name: str, **fields: Any) -> Report:  # noqa: ANN401 - fields of Report
    """Return the report of a run that copied its day, and found another one safe."""
    return report(copied(name, own=True, picture="/backup/x.png"), safe("2025-365"), day=name, **fields)


def backfill(*reports: Report | None, **fields: Any) -> Report:  # noqa: ANN401 - fields of BackfillRuns
    """Return the report of the backfill of the first days of 2026."""
    site = site_file.load(site_file.DEFAULT_PATH)
    runs = BackfillRuns(site=site, started=NOW, reports=dict(zip(NAMES, reports, strict=False)), **fields)
    return runs.report()


def test_a_backfill_that_copied_all_is_good() -> None:
    """Its subject has the range, how many days, and how much."""
    given = backfill(*map(of_day, NAMES))
    assert is_good(given)
    assert subject(given) == "[INPE backup] SUPIM backfill 2026-001 to 2026-003 OK · 3 copied · 1.2 GB"
    assert headline(given) == "All 3 days were copied and verified."
    assert [item.name for item in given.items] == list(NAMES)
    assert not any(item.picture for item in given.items)
    assert thread_of(given) == given.title


def test_what_failed_is_counted_with_its_cause() -> None:
    """A run that left no report isn't left out."""
    failed = report(bad("failed", "2026-002", own=True), day="2026-002", cause="cluster unreachable, 4 tries")
    given = backfill(of_day("2026-001"), failed)
    assert "FAILED · not copied: cluster unreachable, 4 tries · 1 copied" in subject(given)
    killed = backfill(of_day("2026-001"), None)
    assert overall(killed) is State.FAILED
    assert "Its run left no report" in render_text(killed)


def test_a_backfill_that_failed_says_what_to_do() -> None:
    """As each failed run does: once its causes are fixed, another backfill takes the days that failed."""
    failed = [report(bad("missing", name, own=True), day=name) for name in NAMES[1:]]
    given = backfill(of_day("2026-001"), *failed)
    [action] = given.needs_action
    assert action == (
        "2 days failed, for the reasons below: 2026-002 and 2026-003. Fix the causes, then start a backfill "
        "of the same days again; it leaves safe days alone."
    )
    assert "Action needed" in render_text(given)
    assert backfill(*map(of_day, NAMES)).needs_action == ()


def test_each_action_is_listed_once() -> None:
    """Each run of a backfill finds the same."""
    given = backfill(*(of_day(name, needs_action=("Look.",)) for name in NAMES))
    assert given.needs_action == ("Look.",)


def test_a_stuck_backfill_says_how_many_runs_are_left() -> None:
    """And lists what became of the others."""
    given = backfill(of_day("2026-001"), None, None, unfinished=NAMES[1:])
    assert "FAILED · stuck, 2 of 3 runs not over · 1 copied" in subject(given)
    assert "whether the backfill or supim_daily is paused" in given.needs_action[0]
    assert [item.name for item in given.items] == ["2026-001"]
    assert "2 of 3 runs not over" in render_html(given)


def test_a_dry_run_of_a_backfill_is_one() -> None:
    """It goes to whoever triggered it."""
    dry = report(planned("2026-001", own=True), day="2026-001", dry_run=True)
    assert backfill(dry).dry_run
    assert subject(backfill(dry)).startswith("[INPE backup] SUPIM backfill 2026-001 DRY RUN")
