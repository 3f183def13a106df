"""Wait for the end of a backfill, and mail once if it is stuck."""

from airflow.sdk import Context

from include.config import site_file
from include.report import Report
from include.report.delivery import delivery
from inpe_backup import report_mail
from inpe_backup.backfill_end import STUCK, BackfillEndTrigger
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.operators.report.build_backfill_report import BACKFILLED, backfill_runs, watched_runs


class WatchBackfillOperator(BackupOperator):
    """Wait, without a worker, until no run of a backfill is left, however its runs end.

    The run's configuration has the ids of the backfill's runs; see ``backfill_report.py``.
    """

    def work(self, context: Context) -> None:
        """Begin to wait."""
        self._wait(context, site_file.current().mail.backfill_stuck_s)

    def resume(self, context: Context, event: object) -> None:
        """End the task, or mail that the backfill is stuck and wait on."""
        if event == STUCK:
            self._mail(context)
            self._wait(context, stuck_s=None)

    def _wait(self, context: Context, stuck_s: float | None) -> None:
        run_ids = list(watched_runs(context).values())
        trigger = BackfillEndTrigger(dag_id=BACKFILLED, run_ids=run_ids, stuck_s=stuck_s)
        self.defer(trigger=trigger, method_name="resume")

    def _mail(self, context: Context) -> None:
        try:
            self._send(context, backfill_runs(context, watched=True).report())
        except Exception:  # the end of the backfill is still to be waited for
            self.log.exception("That the backfill is stuck couldn't be mailed.")

    def _send(self, context: Context, report: Report) -> None:
        mail, user = site_file.current().mail, context["dag_run"].triggering_user_name
        delivered = delivery(report, mail, user)
        if delivered.reason:
            self.log.info("%s", delivered.reason)
        else:
            report_mail.send(report, delivered, self.log)
