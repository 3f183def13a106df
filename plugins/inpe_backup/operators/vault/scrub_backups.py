"""Scrub a batch of backups."""

from collections.abc import Container
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.report.alarm import Alarm, damaged
from include.scrub.plan import ScrubBatch
from include.scrub.priority import in_background
from include.scrub.results import ScrubbedBatch
from include.scrub.scrubber import Scrubber, ScrubResult
from include.scrub.throttle import Throttle
from inpe_backup.alarm import mail_alarms
from inpe_backup.operators.backup_operator import BackupOperator


class ScrubBackupsOperator(BackupOperator):
    """Read the backups of a batch one after the other, and append the results to their verification logs.

    Args:
        batch: a ``ScrubBatch`` as JSON.
    """

    template_fields = ("batch",)

    def __init__(self, *, batch: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    def work(self, context: Context) -> dict[str, Any]:
        """Return a ``ScrubbedBatch`` as JSON; damage doesn't fail this task, but the run."""
        batch, run = ScrubBatch.model_validate(self.batch), context["dag_run"]
        if context["params"]["dry_run"]:
            return ScrubbedBatch.dry_run_only(batch).model_dump(mode="json")
        max_read_mb_s = site_file.current().scrub.max_read_mb_s
        throttle = Throttle(max_read_mb_s * 1e6 if max_read_mb_s else None)
        scrubber = Scrubber(self.vault(), run.run_id, throttle.take)
        since, damage = run.start_date or run.run_after, list[Alarm]()

        def read() -> list[ScrubResult]:
            read = scrubber.read_all(batch.backups, since)
            return [self._mailed(context, self._logged(result), damage, batch.replaced) for result in read]

        try:
            results = in_background(read, throttle.stop)
        finally:
            mail_alarms(context, self.log, damage)
        return ScrubbedBatch.of(batch, results).model_dump(mode="json")

    def _mailed(
        self, context: Context, result: ScrubResult, damage: list[Alarm], replaced: Container[str]
    ) -> ScrubResult:
        """Mail the first damage of the batch at once; the rest is one mail: a disk that dies damages all.

        What was mailed and has been replaced is no news.
        """
        if result.result == "failed" and result.name not in replaced:
            damage.append(damaged(result.name, result.how))
            mail_alarms(context, self.log, damage if len(damage) == 1 else ())
        return result

    def _logged(self, result: ScrubResult) -> ScrubResult:
        self.log.info("%s: %s. %s", result.name, result.result, result.how)
        for warning in result.warnings:
            self.log.warning("%s: %s", result.name, warning)
        return result
