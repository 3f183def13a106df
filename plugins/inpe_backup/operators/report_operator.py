"""What every task that gathers a run's facts has in common: it leaves a report, and logs its subject."""

from abc import abstractmethod
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.errors import VaultError
from include.report import Report, subject
from include.vault import Vault
from inpe_backup.leavings import Leavings
from inpe_backup.operators.backup_operator import BackupOperator


class ReportOperator(BackupOperator):
    """Write a report; subclasses say of what in :meth:`report`."""

    def work(self, context: Context) -> dict[str, Any]:
        """Give a ``Report`` as JSON."""
        report = self.report(context, Leavings(context))
        self.log.info("%s", subject(report, prefix=site_file.current().mail.subject_prefix))
        return dict(report.model_dump(mode="json"))

    @abstractmethod
    def report(self, context: Context, left: Leavings) -> Report:
        """Make the report of what the run's tasks left."""

    def vault_if_usable(self) -> Vault | None:
        """Open the site's vault; a report is written without it, too."""
        try:
            return self.vault()
        except VaultError as unusable:
            self.log.error("%s", unusable)  # noqa: TRY400 - the tasks before failed by it and show it whole
            return None
