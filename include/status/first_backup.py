"""A vault's first day: what isn't backed up yet isn't missing. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from include.status.view import VaultView

DAYS_DAG = "supim_daily"
_FIRST_DAY = timedelta(days=1)


def is_empty(view: VaultView) -> bool:
    """Return whether nothing was backed up yet, and nothing has failed."""
    failed = (run for run in view.runs if not (run.good or run.dry_run or run.refused))
    return not view.days and not view.vms and not any(failed)


def is_filling(view: VaultView, now: datetime, running: Mapping[str, int]) -> bool:
    """Return whether the first runs are copying days: then those that aren't there yet are on their way.

    Args:
        view: the published data.
        now: the instant.
        running: how many runs of each DAG are under way.
    """
    return bool(running.get(DAYS_DAG)) and all(day.copied > now - _FIRST_DAY for day in view.days.values())


def first_run(running: Mapping[str, int], paused: Mapping[str, int]) -> str:
    """Return when the first days are backed up, as a sentence."""
    if DAYS_DAG in paused:
        return f"{DAYS_DAG} waits until you switch it on."
    if running.get(DAYS_DAG):
        return f"The first run of {DAYS_DAG} is on its way."
    return f"The first run of {DAYS_DAG} starts on its schedule."
