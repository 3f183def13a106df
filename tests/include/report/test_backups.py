"""Reports of audits, restores and drills: what they say in general."""

import pytest

from include.report import (
    Kind,
    Outcome,
    Report,
    State,
    headline,
    label,
    overall,
    render_html,
    render_text,
    subject,
)
from include.report.verdict import moved
from tests.include.report.facts import OF_BACKUPS, backup, of_backups

KINDS = ("audit", "restore", "drill")
DRY = "This was a dry run: nothing was restored and nothing was changed."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            of_backups("audit", backup("2026-268", "proven again"), backup("maq1", "proven again")),
            "All 2 backups were read and proven again.",
        ),
        (
            of_backups("audit", backup("2026-268", "DAMAGED"), backup("maq1", "proven again")),
            "Of 2 backups: 1 damaged, 1 proven again.",
        ),
        (of_backups("restore", backup("2026-268", "restored")), "2026-268 was restored and proven."),
        (of_backups("drill", backup("maq1", "booted")), "maq1 was booted from the vault."),
        (of_backups("drill", backup("maq1", "did not boot")), "Of 1 machine: 1 did not boot."),
        (
            of_backups("restore", backup("maq1", "would be restored"), dry_run=True),
            f"{DRY} Of 1 backup: 1 would be restored.",
        ),
        (of_backups("audit"), "No backup was looked at: nothing is known about them."),
    ],
)
def test_the_headline_tells_what_became_of_the_backups(given: Report, said: str) -> None:
    """The worst first."""
    assert headline(given) == said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", OF_BACKUPS)
def test_every_outcome_can_be_reported_by_every_kind(kind: str, outcome: Outcome) -> None:
    """In the mail's both forms, with nothing of other kinds."""
    given = of_backups(kind, backup("maq1", outcome))
    assert given.kind is Kind(kind)
    assert (overall(given) is State.PASSED) is outcome.proven
    for said in (render_text(given), render_html(given)):
        assert headline(given) in said.replace("\n", " ")
        assert not {"Downtime", "Coverage", "Generations", "Removed"} & set(said.split())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_looked_at_is_never_good_news(kind: str) -> None:
    """Silence is no success."""
    assert label(of_backups(kind)) == "NOT CHECKED"


def test_the_subject_tells_whether_to_open_the_mail() -> None:
    """With what is wrong first."""
    given = of_backups("audit", backup("2026-268", "DAMAGED"), backup("maq1", "proven again"))
    assert subject(given) == "[INPE backup] AUDIT FAILED · 1 damaged · 1 proven again · 1.0 GB"
    assert moved(given) == "1.0 GB read in 31 s."
