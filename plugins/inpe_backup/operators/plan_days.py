"""What to do about each day, and why."""

from typing import Any

from airflow.sdk import Context

from include.plan import Window, decide
from include.source import Look
from inpe_backup.operators.backup_operator import BackupOperator


class PlanDaysOperator(BackupOperator):
    """Hold what the source has against what the vault has.

    Args:
        window: a ``Window`` as JSON.
        looks: a list of ``Look`` as JSON.
    """

    template_fields = ("window", "looks")

    def __init__(self, *, window: Any, looks: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.looks = looks

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - as the base says
        """Give a ``Verdict`` as JSON for each day."""
        looks = {look.day: look for look in map(Look.model_validate, self.looks)}
        newest = {found.day: found for found in self.vault().published() if found.day in looks}
        published = {day: found.fingerprint for day, found in newest.items()}
        damaged = {day: found.damage for day, found in newest.items() if found.damage}
        verdicts = decide(Window.model_validate(self.window), looks, published, damaged)
        for verdict in verdicts:
            self.log.info("%s: %s. %s", verdict.day, verdict.action, verdict.reason)
        return [verdict.model_dump(mode="json") for verdict in verdicts]
