"""Daily runs to report on."""

from datetime import UTC, datetime
from typing import Any

from include.config import site_file
from include.days.plan import DayAction, DayPlan, DayWindow
from include.days.source import SourceDay, SourceState
from include.ordinal_day import OrdinalDay
from include.report import Report
from include.report.daily import DailyRun
from include.results.item import Item
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY

NOW = datetime.now(UTC)
RUN = "this run"


def plan(action: DayAction, state: SourceState = SourceState.COMPLETE, day: OrdinalDay = DAY) -> DayPlan:
    """Return the plan of a day."""
    source_day = SourceDay(day=day, state=state, bytes=412)
    return DayPlan(day=day, action=action, reason=f"Planned: {action}.", at_source=source_day)


def reported(vault: Vault | None, *plans: DayPlan, **fields: Any) -> Report:  # noqa: ANN401 - fields of DailyRun
    """Return the report of a run for 2026-268."""
    given = {
        "window": DayWindow(own=DAY, responsible_for=(DAY - 2, DAY - 1, DAY)),
        "results": {},
        "failures": [],
    }
    what = {"site": site_file.load(site_file.DEFAULT_PATH), "run_id": RUN, "own": DAY, "started": NOW}
    run = DailyRun(**{**given, **what, "dry_run": False, "plans": list(plans), **fields})
    return run.report(vault)


def own_item(report: Report) -> Item:
    """Return the item of the run's own day."""
    (item,) = [item for item in report.items if item.own]
    assert item.name == str(DAY)
    return item
