"""Which days a person wants back."""

from typing import Any

from airflow.sdk import Context

from include.restore.request import RestoreRequest
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.restore_target import restore_target


class PlanRestoreOperator(BackupOperator):
    """Check the form and the way to the target, and hand out the days, also those that the vault lacks."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Give ``{"name": "2026-268"}`` for each day; one that is lacking fails by itself, and tells so."""
        asked = RestoreRequest.read(dict(context["params"]))
        target = restore_target(asked)
        held = {found.day for found in self.vault().published()}
        lacking = [str(day) for day in asked.days if day not in held]
        self.log.info(
            "To %s: %d days, of which the vault lacks %d.", target.told, len(asked.days), len(lacking)
        )
        for day in lacking:
            self.log.warning("The vault doesn't hold %s.", day)
        return [{"name": str(day)} for day in asked.days]
