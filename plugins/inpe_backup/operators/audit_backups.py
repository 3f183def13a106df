"""Some backups, read again."""

from typing import Any

from airflow.sdk import Context

from include import site_file
from include.audit.due import Batch
from include.audit.priority import in_background
from include.audit.reading import Reader, Reading
from include.audit.report import Audited
from include.audit.throttle import Throttle
from inpe_backup.operators.backup_operator import BackupOperator


class AuditBackupsOperator(BackupOperator):
    """Read the backups of a batch, one after the other, and add what was found to their proofs.

    Args:
        batch: a ``Batch`` as JSON.
    """

    template_fields = ("batch",)

    def __init__(self, *, batch: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    def work(self, context: Context) -> dict[str, Any]:
        """Give an ``Audited`` as JSON; damage is no failure of the task, but of the run."""
        batch, run = Batch.model_validate(self.batch), context["dag_run"]
        if context["params"]["dry_run"]:
            return Audited.rehearsed(batch).model_dump(mode="json")
        rate_mb_s = site_file.current().audit.rate_mb_s
        throttle = Throttle(rate_mb_s * 1e6 if rate_mb_s else None)
        reader = Reader(self.vault(), run.run_id, throttle.take)
        since = run.start_date or run.run_after
        readings = in_background(
            lambda: [self._told(one) for one in reader.read_all(batch.backups, since)], throttle.stop
        )
        return Audited.of(batch, readings).model_dump(mode="json")

    def _told(self, reading: Reading) -> Reading:
        self.log.info("%s: %s. %s", reading.name, reading.result, reading.how)
        for warning in reading.warnings:
            self.log.warning("%s: %s", reading.name, warning)
        return reading
