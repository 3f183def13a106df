"""Who gets a report: problems always go out; dry runs and refused requests go to whoever asked."""

import pytest

from include.config.mail import MailSection
from include.report import Report
from include.report.delivery import delivery
from tests.include.report.sample_items import (
    backup,
    bad,
    copied,
    imaged,
    of_backups,
    planned,
    report,
    safe,
    vm,
    weekly,
)

NOTHING_NEW = report(safe("2026-268", own=True))


def mail(**when: str) -> MailSection:
    """Return the section, with other values of ``when``."""
    who = {"to": "all@institute.example", "cc": "c@b", "users": {"ana": "ana@institute.example"}}
    return MailSection.model_validate({**who, "when": when})


@pytest.mark.parametrize("when", ["always", "changes", "problems"])
@pytest.mark.parametrize(
    "given",
    [
        report(bad("missing")),
        report(safe("2026-268", own=True), needs_action=("Look.",)),
        report(copied(warnings=("Odd.",))),
        report(items=()),
        weekly(imaged(), vm("maq2", "NOT BACK")),
        of_backups("scrub", backup("2026-268", "DAMAGED")),
        of_backups("restore", backup("maq1", "not restored")),
        of_backups("boot_test", backup("maq1", "did not boot")),
    ],
)
def test_a_problem_is_always_mailed(given: Report, when: str) -> None:
    """Whatever the site file says."""
    assert delivery(given, mail(**{given.kind: when}), None).to == ["all@institute.example"]


@pytest.mark.parametrize(
    ("given", "when", "sent"),
    [
        (report(), "changes", True),
        (report(), "problems", False),
        (NOTHING_NEW, "always", True),
        (NOTHING_NEW, "changes", False),
        (weekly(), "changes", True),
        (weekly(), "problems", False),
        (of_backups("restore", backup("maq1", "restored")), "changes", True),
        (of_backups("restore", backup("maq1", "restored")), "problems", False),
        (of_backups("scrub", backup("2026-268", "verified again")), "changes", False),
        (of_backups("scrub", backup("2026-268", "fetched again")), "changes", True),
        (of_backups("boot_test", backup("maq1", "booted")), "always", True),
        (of_backups("boot_test", backup("maq1", "booted")), "changes", False),
    ],
)
def test_the_rest_is_mailed_as_the_site_file_says(given: Report, when: str, *, sent: bool) -> None:
    """If not, the reason names the key."""
    found = delivery(given, mail(**{given.kind: when}), None)
    assert (list(found.to), list(found.cc)) == ((["all@institute.example"], ["c@b"]) if sent else ([], []))
    assert (f"mail.when.{given.kind} is {when}" in found.reason) is not sent


def test_a_repeated_run_that_finds_all_safe_is_not_mailed_by_default() -> None:
    """A run that copied its day is."""
    assert delivery(NOTHING_NEW, mail(), None).reason == (
        "No mail was sent: nothing changed, and mail.when.days is changes."
    )
    assert delivery(report(), mail(), None).to


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (report(planned(), dry_run=True), "dry run"),
        (report(bad("missing"), dry_run=True), "dry run"),
        (of_backups("restore", cause="no backup of 'maq9'", refused=True), "refused request"),
    ],
)
def test_dry_runs_and_refused_requests_go_to_whoever_triggered_them(given: Report, what: str) -> None:
    """Without an address of theirs, to nobody."""
    assert delivery(given, mail(), "ana").to == ["ana@institute.example"]
    assert delivery(given, mail(), "ana").cc == ()
    assert delivery(given, mail(), "rui").reason == (
        f"No mail was sent: a {what} is mailed only to whoever triggered it, and mail.users has no address "
        "of rui."
    )


def test_a_dry_run_that_nobody_triggered_is_mailed_to_nobody() -> None:
    """It changed nothing."""
    dry = report(planned(), dry_run=True)
    assert delivery(dry, mail(), None).reason.endswith("Airflow doesn't know who did.")


@pytest.mark.parametrize("kind", ["restore", "boot_test"])
def test_what_a_run_refuses_that_nobody_triggered_is_a_problem(kind: str) -> None:
    """Such as a scheduled boot test that finds the site file wrong: nobody else would hear of it."""
    refused = of_backups(kind, cause="configuration wrong", refused=True)
    assert delivery(refused, mail(**{kind: "problems"}), None).to == ["all@institute.example"]
