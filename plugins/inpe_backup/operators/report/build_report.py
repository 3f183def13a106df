"""Build a run's report."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.errors import BackupError, InvalidDayError, TransientError, VaultError
from include.ordinal_day import OrdinalDay
from include.report import Report, subject
from include.results.states import Kind
from include.results.tasks import RunFacts
from include.vault.vault import Vault
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.xcom import TaskResults


class BuildReportOperator(BackupOperator):
    """Build the report of a run from what its tasks left, whatever failed before.

    Args:
        kind: what the run does; ``include/report/build.py`` lists the tasks that each kind of report reads.
        tasks: the ids of those tasks, by their names there, where the two differ.
    """

    def __init__(self, *, kind: Kind, tasks: Mapping[str, str | Sequence[str]], **kwargs: Any) -> None:
        super().__init__(**{"trigger_rule": "all_done", **kwargs})
        self.kind = kind
        self.tasks = dict(tasks)

    def work(self, context: Context) -> dict[str, Any]:
        """Return a ``Report`` as JSON; where it can't be built, at the last try as much of it as can be."""
        report = self._built(context, TaskResults(context, self.tasks))
        self.log.info("%s", subject(report, prefix=site_file.current().mail.subject_prefix))
        return dict(report.model_dump(mode="json"))

    def _built(self, context: Context, results: TaskResults) -> Report:
        from include.report.build import build_despite, build_report  # noqa: PLC0415 - DAG files don't need it

        kind, site, run = Kind(self.kind), site_file.current(), self._run(context)
        try:
            return build_report(kind, site, run, results, self._vault())
        except Exception as error:
            if _is_tried_again(context, error):
                raise
            self.log.exception("The report is incomplete.")
            return build_despite(error, kind, site, run, results)

    def _run(self, context: Context) -> RunFacts:
        run = context["dag_run"]
        return RunFacts(
            run_id=run.run_id,
            started=run.start_date or run.run_after,
            dry_run=context["params"].get("dry_run", False),
            url=context["ti"].log_url.split("/tasks/")[0],
            day=self.day(context),
            requested=tuple(self.requested_vms(context)) if Kind(self.kind) is Kind.VMS else (),
        )

    def day(self, context: Context) -> OrdinalDay | None:
        """Return the day that the run is about; None if it's about none, or was given no valid one."""
        try:
            return self.own_day(context) if Kind(self.kind) is Kind.DAYS else None
        except InvalidDayError:  # the first task reports it, and the report is about no day
            return None

    def _vault(self) -> Vault | None:
        try:
            return self.vault()
        except VaultError as error:  # the report is built without the vault
            self.log.error("%s", error)  # noqa: TRY400 - earlier tasks failed with it and log its traceback
            return None


def _is_tried_again(context: Context, error: Exception) -> bool:
    """Return whether Airflow tries a task again after an error; see ``RETRY_TRANSIENT_ERRORS``."""
    if isinstance(error, BackupError) and not isinstance(error, TransientError):
        return False
    return context["ti"].try_number <= context["ti"].max_tries
