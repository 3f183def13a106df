"""Which backups are read again."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.audit.backups import in_vault, standings
from include.audit.due import batches, decide
from include.audit.enough import too_slow
from inpe_backup.operators.backup_operator import BackupOperator


class PlanAuditOperator(BackupOperator):
    """Decide about each backup of the vault, by the age of its last proof."""

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - as the base says
        """Give a ``Batch`` as JSON for each year of days and each machine, and one for what isn't due."""
        found, now, section = standings(in_vault(self.vault())), datetime.now(UTC), site_file.current().audit
        decided = decide(found, now, section.proof_age)
        for one in decided:
            if one.due or one.standing.damage:
                self.log.info("%s: %s", one.standing.backup.name, one.reason)
        slow = too_slow(found, now, section)
        if slow:
            self.log.warning("%s", slow)
        return [batch.model_dump(mode="json") for batch in batches(decided, slow)]
