"""Plan a restore of days."""

from typing import Any

from airflow.sdk import Context

from include.days.archive import DayArchive
from include.restore.day_request import DayRestoreRequest
from inpe_backup.connections import restore_target
from inpe_backup.operators.backup_operator import BackupOperator


class PlanDayRestoreOperator(BackupOperator):
    """Validate the form and the target's connection, and return the days, also those that the vault lacks."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Return ``{"name": "2026-268"}`` for each day; the task of a missing day fails by itself."""
        request = DayRestoreRequest.read(dict(context["params"]))
        target = restore_target(request)
        published = {found.day for found in DayArchive(self.vault()).published()}
        missing = [str(day) for day in request.days if day not in published]
        self.log.info(
            "To %s: %d days, %d of them missing in the vault.", target.name, len(request.days), len(missing)
        )
        for day in missing:
            self.log.warning("The vault doesn't hold %s.", day)
        return [{"name": str(day)} for day in request.days]
