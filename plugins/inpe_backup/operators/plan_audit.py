"""Which backups are read again."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.audit.backups import in_vault, standings
from include.audit.due import batches, decide
from inpe_backup.operators.backup_operator import BackupOperator


class PlanAuditOperator(BackupOperator):
    """Decide about each backup of the vault, by the age of its last proof."""

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - as the base says
        """Give a ``Batch`` as JSON for each year of days and each machine, and one for what isn't due."""
        found = standings(in_vault(self.vault()))
        decided = decide(found, datetime.now(UTC), site_file.current().audit.proof_age)
        for one in decided:
            if one.due or one.standing.damage:
                self.log.info("%s: %s", one.standing.backup.name, one.reason)
        return [batch.model_dump(mode="json") for batch in batches(decided)]
