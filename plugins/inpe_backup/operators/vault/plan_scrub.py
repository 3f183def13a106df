"""Decide which backups this scrub reads."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.scrub.backups import in_vault, statuses
from include.scrub.plan import batches, decide
from include.scrub.rate import too_slow
from inpe_backup.operators.backup_operator import BackupOperator


class PlanScrubOperator(BackupOperator):
    """Select the backups to read by the age of their last verification, and group them into batches."""

    def work(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - the base class has it
        """Return a ``ScrubBatch`` as JSON for each year of days and each VM, and one for what isn't due."""
        found, now, section = statuses(in_vault(self.vault())), datetime.now(UTC), site_file.current().scrub
        decisions = decide(found, now, section.max_age)
        for decision in decisions:
            if decision.due or decision.status.damage:
                self.log.info("%s: %s", decision.status.backup.name, decision.reason)
        warning = too_slow(found, now, section)
        if warning:
            self.log.warning("%s", warning)
        return [batch.model_dump(mode="json") for batch in batches(decisions, warning)]
