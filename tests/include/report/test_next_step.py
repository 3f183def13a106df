"""What to do about a run that failed."""

import pytest

from include.report.next_step import with_next_step
from include.results.states import Kind
from tests.include.report.sample_items import bad, copied, planned, report, safe

CLEAR = "the run's failed tasks (Clear only failed tasks)"
BEGIN = '"Stop, snapshot, start" with its downstream tasks'


@pytest.mark.parametrize(
    ("kind", "noun", "clear"),
    [
        ("days", "days", CLEAR),
        ("vms", "VMs", BEGIN),  # its backup has ended on the host, whichever task failed
        ("restore", "backups", CLEAR),
        ("boot_test", "VMs", CLEAR),
    ],
)
def test_a_failed_run_without_an_action_gets_one(kind: str, noun: str, clear: str) -> None:
    """It isn't new to the page, which shows the state of each day and VM."""
    given = with_next_step(report(bad("failed", "a"), bad("failed", "b"), safe("c"), kind=Kind(kind)))
    [sentence] = given.needs_action
    assert sentence == f"2 {noun} failed, for the reasons below: a and b. Fix the causes, then clear {clear}."
    assert given.known_states == (sentence,)


def test_a_dry_run_that_found_an_obstacle_is_triggered_again() -> None:
    """It has nothing to clear."""
    given = with_next_step(report(bad("missing", "a"), dry_run=True))
    assert given.needs_action == ("a failed, for the reason below. Fix the cause, then trigger it again.",)


def test_a_run_that_says_what_to_do_or_did_not_fail_stays_as_it_is() -> None:
    """A second action would only repeat the first."""
    for given in (
        report(copied()),
        report(planned(), dry_run=True),
        report(bad("failed"), needs_action=("Look.",)),
        report(needs_action=("Look.",), cause="no such day"),
    ):
        assert with_next_step(given) == given
