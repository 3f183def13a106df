"""Build the report of a whole backfill."""

from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.errors import ConfigError
from include.report import Report, subject
from include.report.backfill import BackfillRuns
from inpe_backup.backfill_report import RUNS, UNFINISHED
from inpe_backup.operators.backup_operator import BackupOperator

BACKFILLED = "supim_daily"


class BuildBackfillReportOperator(BackupOperator):
    """Build one report from those of a backfill's runs, also when the wait for their end failed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trigger_rule": "all_done", **kwargs})

    def work(self, context: Context) -> dict[str, Any]:
        """Return a ``Report`` as JSON."""
        report = backfill_runs(context).report()
        self.log.info("%s", subject(report, prefix=site_file.current().mail.subject_prefix))
        return dict(report.model_dump(mode="json"))


def watched_runs(context: Context) -> dict[str, str]:
    """Return the ids of the runs of the backfill that a run is to watch, by day.

    Raises:
        ConfigError: the run was started by hand.
    """
    conf: dict[str, Any] = context["dag_run"].conf or {}
    if not conf.get(RUNS):
        raise ConfigError(
            "A run of this DAG watches the backfill that it was started with. This one was started by hand, "
            "so there is none. Nothing was done."
        )
    return dict(conf[RUNS])


def backfill_runs(context: Context) -> BackfillRuns:
    """Read what the runs of a backfill have left until now."""
    run, ti = context["dag_run"], context["ti"]
    dag, ids = BACKFILLED, watched_runs(context)
    left = {
        day: ti.xcom_pull("build_report", dag_id=dag, run_id=run_id, key="return_value")
        for day, run_id in ids.items()
    }
    return BackfillRuns(
        site=site_file.current(),
        started=run.start_date or run.run_after,
        reports={day: Report.model_validate(report) if report else None for day, report in left.items()},
        unfinished=tuple(
            day for day, run_id in ids.items() if ti.get_dagrun_state(dag, run_id) in UNFINISHED
        ),
        run_url=ti.log_url.split("/tasks/")[0],
    )
