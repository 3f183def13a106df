"""The reports of scrubs, restores and boot tests, from what their tasks left."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.config import site_file
from include.report import label, overall
from include.report.planned import PlannedRun
from include.results.failure import Failure
from include.results.item import Item
from include.results.states import Kind, Outcome, State
from tests.include.report.sample_items import backup

WHEN = datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)


def run(kind: str, *planned: str, **fields: object) -> PlannedRun:
    """Return a run whose tasks left nothing, unless given."""
    site = site_file.load(Path("include/site.yaml"))
    what = {"site": site, "kind": Kind(kind), "started": WHEN, "dry_run": False}
    rest: dict[str, object] = {"items": {}, "lost": {}, "failures": []}
    return PlannedRun(**{**what, "planned": planned, **rest, **fields})  # type: ignore[arg-type]


def failure(message: str) -> Failure:
    """Return a failure with a message."""
    return Failure(task="a task", error="BackupError", message=message)


def test_the_items_are_those_that_the_tasks_returned() -> None:
    """In the order of the plan."""
    done = {name: backup(name, "restored") for name in ("2026-268", "2026-001")}
    report = run("restore", "2026-268", "2026-001", items=done).report()
    assert report.items == (done["2026-268"], done["2026-001"])
    assert overall(report) is State.PASSED


@pytest.mark.parametrize(
    ("kind", "outcome", "state"),
    [
        ("scrub", Outcome.NOT_CHECKED, State.NOT_CHECKED),
        ("restore", Outcome.NOT_RESTORED, State.FAILED),
        ("boot_test", Outcome.NOT_BOOTED, State.FAILED),
    ],
)
def test_a_backup_without_a_result_never_passes(kind: str, outcome: Outcome, state: State) -> None:
    """Whether its task failed or was killed."""
    report = run(kind, "maq1", "maq2", lost={"maq1": failure("It broke.")}).report()
    assert [(item.outcome, item.state) for item in report.items] == [(outcome, state)] * 2
    failed, killed = report.items
    assert (failed.reason, "left no result" in killed.reason) == ("It broke.", True)


def test_a_run_whose_plan_failed_needs_action() -> None:
    """It has no items that could show it."""
    report = run("restore", failures=[failure("The vault is gone.")]).report()
    assert report.needs_action == ("The vault is gone.",)
    assert label(report) == "NOT CHECKED, action needed"


def test_the_items_are_the_runs_own() -> None:
    """With other items alone, no run would pass."""
    report = run("scrub", "maq1").report()
    assert all(isinstance(item, Item) and item.own for item in report.items)
