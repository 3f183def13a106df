"""Plan what to do with each day, and why."""

from typing import Any

from airflow.sdk import Context

from include.days.archive import DayArchive
from include.days.plan import DayWindow, decide
from include.days.source import SourceDay
from inpe_backup.operators.backup_operator import BackupOperator


class PlanDaysOperator(BackupOperator):
    """Compare the days at the source with those in the vault.

    Args:
        window: a ``DayWindow`` as JSON.
        source_days: a list of ``SourceDay`` as JSON.
    """

    template_fields = ("window", "source_days")

    def __init__(self, *, window: Any, source_days: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.source_days = source_days

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - from the base class
        """Return a ``DayPlan`` as JSON for each day."""
        at_source = {day.day: day for day in map(SourceDay.model_validate, self.source_days)}
        revisions = DayArchive(self.vault()).published()
        newest = {revision.day: revision for revision in revisions if revision.day in at_source}
        fingerprints = {day: revision.fingerprint for day, revision in newest.items()}
        damaged = {day: revision.damage for day, revision in newest.items() if revision.damage}
        plans = decide(DayWindow.model_validate(self.window), at_source, fingerprints, damaged)
        for plan in plans:
            self.log.info("%s: %s. %s", plan.day, plan.action, plan.reason)
        return [plan.model_dump(mode="json") for plan in plans]
