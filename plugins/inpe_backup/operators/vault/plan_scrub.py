"""Decide which backups this scrub reads."""

from datetime import datetime
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.scrub.backups import Backup, in_vault
from include.scrub.plan import batches, decide
from include.scrub.priority import in_background
from include.scrub.quick_check import QuickCheck
from include.scrub.rate import too_slow
from include.scrub.selection import select
from inpe_backup.operators.backup_operator import BackupOperator

ALL = "all"


class PlanScrubOperator(BackupOperator):
    """Check names and sizes of all backups; select those to read, and group them into batches."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Return a ``ScrubBatch`` as JSON for each year of days and each VM, and one for what isn't read.

        Raises:
            BackupError: the vault has no backup of the requested name.
        """
        vault, site = self.vault(), site_file.current()
        backups = in_vault(vault)
        requested = _requested(backups, context["params"]["backup"])
        check = QuickCheck(vault, lambda line: self.log.warning("%s", line))
        found = in_background(lambda: check.statuses(backups), check.throttle.stop)
        self.log.info("Names, kinds and sizes checked: %d backups.", len(found))
        now = datetime.now(site.institute.zone)
        decisions = decide(found, now, site.scrub.max_age, requested)
        for decision in decisions:
            if decision.due or decision.status.damage:
                self.log.info("%s: %s", decision.status.backup.name, decision.reason)
        warning = too_slow(found, now, site.scrub)
        if warning:
            self.log.warning("%s", warning)
        return [batch.model_dump(mode="json") for batch in batches(decisions, warning)]


def _requested(backups: list[Backup], text: str | None) -> set[Backup] | None:
    """Return the backups that the form asks for; None: those that are due."""
    name = (text or "").strip()
    if not name:
        return None
    return set(backups) if name == ALL else set(select(backups, [name]))
