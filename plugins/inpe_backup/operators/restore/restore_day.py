"""Restore a day."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.ordinal_day import OrdinalDay
from include.restore.day import DayRestore
from include.restore.day_request import DayRestoreRequest
from inpe_backup.connections import restore_target
from inpe_backup.operators.backup_operator import BackupOperator


class RestoreDayOperator(BackupOperator):
    """Verify a day in the vault, send it, and verify it at the target; in a dry run, only check.

    Args:
        planned: an object with the day as its ``name``.
    """

    template_fields: Sequence[str] = ("planned",)

    def __init__(self, *, planned: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def work(self, context: Context) -> dict[str, Any]:
        """Return an ``Item`` as JSON."""
        request = DayRestoreRequest.read(dict(context["params"]))
        item = DayRestore(
            vault=self.vault(),
            target=restore_target(request),
            request=request,
            day=OrdinalDay.parse(self.planned["name"]),
            reserve_bytes=site_file.current().vault.reserve,
            run=context["dag_run"].run_id,
            log=self.log_line,
        ).restore()
        for warning in item.warnings:
            self.log.warning("%s", warning)
        self.log.info("%s %s. %s", item.name, item.outcome, item.reason)
        return dict(item.model_dump(mode="json"))
