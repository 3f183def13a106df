"""Daily runs to report on."""

from datetime import UTC, datetime
from typing import Any

from include import site_file
from include.daily_report import DailyRun
from include.ordinal_day import OrdinalDay
from include.plan import Action, Verdict, Window
from include.report import Report
from include.source import Look, State
from include.vault import Vault
from tests.include.days import DAY

NOW = datetime.now(UTC)
RUN = "this run"


def verdict(action: Action, seen: State = State.COMPLETE, day: OrdinalDay = DAY) -> Verdict:
    """Give what was planned for a day."""
    look = Look(day=day, state=seen, bytes=412)
    return Verdict(day=day, action=action, reason=f"Planned: {action}.", seen=look)


def reported(vault: Vault | None, *verdicts: Verdict, **facts: Any) -> Report:  # noqa: ANN401 - fields of DailyRun
    """Write the report of a run for 2026-268."""
    given = {"window": Window(own=DAY, answers_for=(DAY - 2, DAY - 1, DAY)), "doings": {}, "failures": []}
    what = {"site": site_file.load(site_file.DEFAULT_PATH), "run_id": RUN, "own": DAY, "started": NOW}
    run = DailyRun(**{**given, **what, "dry_run": False, "verdicts": list(verdicts), **facts})
    return run.report(vault)
