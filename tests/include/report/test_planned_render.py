"""The reports of scrubs, restores and boot tests: headline, subject and both renderings."""

from datetime import UTC, datetime

import pytest

from include.report import Report, headline, label, overall, render_html, render_text, subject
from include.report.subject import amount_sentence
from include.results.states import Kind, Outcome, State
from tests.include.report.sample_items import OF_BACKUPS, backup, of_backups

KINDS = ("scrub", "restore", "boot_test")
DRY = "This was a dry run: nothing was restored and nothing was changed."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            of_backups("scrub", backup("2026-268", "verified again"), backup("maq1", "verified again")),
            "All 2 backups were read and verified again.",
        ),
        (
            of_backups("scrub", backup("2026-268", "DAMAGED"), backup("maq1", "verified again")),
            "Of 2 backups: 1 damaged, 1 verified again.",
        ),
        (of_backups("restore", backup("2026-268", "restored")), "2026-268 was restored and verified."),
        (of_backups("boot_test", backup("maq1", "booted")), "maq1 was booted from the vault."),
        (of_backups("boot_test", backup("maq1", "did not boot")), "Of 1 VM: 1 did not boot."),
        (
            of_backups("restore", backup("maq1", "would be restored"), dry_run=True),
            f"{DRY} Of 1 backup: 1 would be restored.",
        ),
        (of_backups("scrub"), "No backup was read."),
        (of_backups("restore"), "Nothing was restored."),
        (of_backups("boot_test"), "No VM was booted."),
    ],
)
def test_the_headline_counts_the_backups_by_outcome(given: Report, expected: str) -> None:
    """The worst first."""
    assert headline(given) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", OF_BACKUPS)
def test_every_kind_of_run_can_report_every_outcome(kind: str, outcome: Outcome) -> None:
    """In both forms of the mail, without parts of other kinds."""
    given = of_backups(kind, backup("maq1", outcome))
    assert given.kind is Kind(kind)
    assert (overall(given) is State.PASSED) is outcome.verified
    for rendered in (render_text(given), render_html(given)):
        assert headline(given) in rendered.replace("\n", " ")
        assert not {"Downtime", "Coverage", "Generations", "Removed"} & set(rendered.split())


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_items_never_passes(kind: str) -> None:
    """Its label is NOT CHECKED."""
    assert label(of_backups(kind)) == "NOT CHECKED"


def test_the_subject_counts_the_backups_by_outcome() -> None:
    """What is wrong comes first."""
    given = of_backups("scrub", backup("2026-268", "DAMAGED"), backup("maq1", "verified again"))
    assert subject(given) == "[INPE backup] SCRUB FAILED · 1 damaged · 1 verified again · 1.0 GB"
    assert amount_sentence(given) == "1.0 GB read in 31 s."


ALL = backup("all", "not read", backups=18, verified=datetime(2026, 11, 27, 1, tzinfo=UTC))


def test_a_scrub_that_read_nothing_says_so() -> None:
    """With how many backups there are, and the oldest verification in the institute's zone."""
    given = of_backups("scrub", ALL)
    counts = "nothing due, nothing read · 18 backups, oldest verification"
    assert subject(given).endswith(f" OK · {counts} 26 Nov")
    assert headline(given) == "Nothing was due, and nothing was read."
    older = ALL.model_copy(update={"verified": datetime(2025, 12, 31, tzinfo=UTC)})
    assert subject(of_backups("scrub", older)).endswith(f" OK · {counts} 30 Dec 2025")
    unknown = ALL.model_copy(update={"verified": None})
    assert subject(of_backups("scrub", unknown)).endswith(" OK · nothing due, nothing read · 18 backups")


def test_a_batch_counts_as_many_backups_as_it_has() -> None:
    """An item of a year of days isn't one backup."""
    read = backup("SUPIM 2026", "verified again", backups=300)
    assert " OK · 300 verified again · 18 not read · " in subject(of_backups("scrub", read, ALL))
    assert headline(of_backups("scrub", read)) == "All 300 backups were read and verified again."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            of_backups("restore", backup("maq1 X", "restored", short_name="maq1 as maq1-restored")),
            "RESTORE maq1 as maq1-restored OK · 1.0 GB",
        ),
        (of_backups("restore", backup("2026-268", "restored")), "RESTORE 2026-268 OK · 1.0 GB"),
        (of_backups("restore", backup("maq1", "not restored")), "RESTORE FAILED · 1 not restored"),
        (
            of_backups("restore", backup("maq1", "not restored", cause="host unreachable")),
            "RESTORE FAILED · not restored: host unreachable",
        ),
        (
            of_backups("scrub", backup("2026-268", "fetched again"), backup("maq1", "verified again")),
            "SCRUB · damage found, repaired · 1 fetched again · 1 verified again · 2.0 GB",
        ),
        (of_backups("boot_test", backup("maq1", "booted")), "BOOT TEST OK · 1 booted · 1.0 GB"),
    ],
)
def test_the_subject_says_what(given: Report, expected: str) -> None:
    """Which VM was restored, and why one wasn't."""
    assert subject(given) == f"[INPE backup] {expected}"
