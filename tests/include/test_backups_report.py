"""The reports of audits, restores and drills, from what their tasks left."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include import site_file
from include.backups_report import BackupsRun
from include.failure import Failure
from include.report import Item, Kind, Outcome, State, label, overall
from tests.include.report.facts import backup

WHEN = datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)


def run(kind: str, *planned: str, **facts: object) -> BackupsRun:
    """Give a run of which nothing else is known."""
    site = site_file.load(Path("include/site.yaml"))
    what = {"site": site, "kind": Kind(kind), "started": WHEN, "dry_run": False}
    left: dict[str, object] = {"items": {}, "lost": {}, "failures": []}
    return BackupsRun(**{**what, "planned": planned, **left, **facts})  # type: ignore[arg-type]


def failure(message: str) -> Failure:
    """Give a task's failure."""
    return Failure(task="a task", error="BackupError", message=message)


def test_each_backup_is_told_as_its_task_told_it() -> None:
    """In the order of the plan."""
    done = {name: backup(name, "restored") for name in ("2026-268", "2026-001")}
    report = run("restore", "2026-268", "2026-001", items=done).report()
    assert report.items == (done["2026-268"], done["2026-001"])
    assert overall(report) is State.PASSED


@pytest.mark.parametrize(
    ("kind", "outcome", "state"),
    [
        ("audit", Outcome.NOT_CHECKED, State.NOT_CHECKED),
        ("restore", Outcome.NOT_RESTORED, State.FAILED),
        ("drill", Outcome.NOT_BOOTED, State.FAILED),
    ],
)
def test_what_no_task_told_of_is_never_green(kind: str, outcome: Outcome, state: State) -> None:
    """Whether its task could say why, or was killed."""
    report = run(kind, "maq1", "maq2", lost={"maq1": failure("It broke.")}).report()
    assert [(item.outcome, item.state) for item in report.items] == [(outcome, state)] * 2
    told, silent = report.items
    assert (told.reason, "without a word" in silent.reason) == ("It broke.", True)


def test_a_run_that_failed_before_it_knew_what_to_do_needs_a_person() -> None:
    """It has no item to tell it by."""
    report = run("restore", failures=[failure("The vault is gone.")]).report()
    assert report.needs_person == ("The vault is gone.",)
    assert label(report) == "NOT CHECKED, needs a person"


def test_an_item_is_of_the_run() -> None:
    """Items that the run wasn't started for would make no run green."""
    report = run("audit", "maq1").report()
    assert all(isinstance(item, Item) and item.own for item in report.items)
