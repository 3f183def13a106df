"""One day, brought back."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.ordinal_day import OrdinalDay
from include.restore.day import DayRestore
from include.restore.request import RestoreRequest
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.restore_target import restore_target


class RestoreDayOperator(BackupOperator):
    """Prove a day in the vault, send it, and prove it where it arrived; in a dry run, look only.

    Args:
        planned: an object with the day as its ``name``.
    """

    template_fields: Sequence[str] = ("planned",)

    def __init__(self, *, planned: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def work(self, context: Context) -> dict[str, Any]:
        """Give an ``Item`` as JSON."""
        asked = RestoreRequest.read(dict(context["params"]))
        item = DayRestore(
            vault=self.vault(),
            target=restore_target(asked),
            asked=asked,
            day=OrdinalDay.parse(self.planned["name"]),
            reserve_bytes=site_file.current().vault.reserve,
            run=context["dag_run"].run_id,
            say=self.say,
        ).restore()
        for warning in item.warnings:
            self.log.warning("%s", warning)
        self.log.info("%s %s. %s", item.name, item.outcome, item.reason)
        return dict(item.model_dump(mode="json"))
