"""Check the free space for days before any is copied."""

from typing import Any

from airflow.sdk import Context

from include.days.archive import DayArchive
from include.days.plan import DayPlan, by_urgency
from include.vault.free_space import SpaceNeed
from inpe_backup.operators.free_space_operator import FreeSpaceOperator


class CheckFreeSpaceForDaysOperator(FreeSpaceOperator):
    """List the days to back up that the vault has space for: the run's own day first, then newest first.

    Args:
        plans: a list of ``DayPlan`` as JSON.
    """

    template_fields = ("plans",)

    def __init__(self, *, plans: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plans = plans

    def work(self, context: Context) -> list[str]:
        """Return the days to back up, in the order of copying; none in a dry run."""
        own, archive = self.own_day(context), DayArchive(self.vault())
        plans = by_urgency(map(DayPlan.model_validate, self.plans), own)
        needs = [_space_need(plan, archive) for plan in plans]
        days = self.fitting(context, needs, first=str(own))
        return [] if context["params"]["dry_run"] else days


def _space_need(plan: DayPlan, archive: DayArchive) -> SpaceNeed:
    newest = archive.revisions(plan.day)[-1:]
    if plan.at_source.fingerprint and plan.at_source.fingerprint in [day.fingerprint for day in newest]:
        return SpaceNeed(str(plan.day), 0, 0)  # published before the task was cleared; it isn't copied again
    return plan.space_need(archive.staged(plan.day).copied)
