"""Build the report of a whole backfill."""

from contextlib import suppress
from typing import Any

from airflow.sdk import Context
from pydantic import ValidationError

from include.config import site_file
from include.errors import ConfigError
from include.report import Report, subject
from include.report.backfill import BackfillRuns
from inpe_backup.backfill_report import RUNS, UNFINISHED
from inpe_backup.operators.backup_operator import BackupOperator

BACKFILLED = "supim_daily"
_BUILD = "build_report"


class BuildBackfillReportOperator(BackupOperator):
    """Build one report from those of a backfill's runs, also when the wait for their end failed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trigger_rule": "all_done", **kwargs})

    def work(self, context: Context) -> dict[str, Any]:
        """Return a ``Report`` as JSON."""
        report = backfill_runs(context, watched=False).report()
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


def backfill_runs(context: Context, *, watched: bool) -> BackfillRuns:
    """Read what the runs of a backfill have left until now.

    Args:
        context: of a task of the watching run.
        watched: whether the task goes on waiting for their end.
    """
    run, ti, ids = context["dag_run"], context["ti"], watched_runs(context)
    return BackfillRuns(
        site=site_file.current(),
        started=run.start_date or run.run_after,
        reports={day: _report(ti, run_id) for day, run_id in ids.items()},
        unfinished=tuple(day for day, run_id in ids.items() if _is_unfinished(ti, run_id)),
        watched=watched,
        run_url=ti.log_url.split("/tasks/")[0],
    )


def _report(ti: Any, run_id: str) -> Report | None:
    """Return a run's report; None if it left none: one from before it was repeated doesn't count."""
    states = ti.get_task_states(dag_id=BACKFILLED, run_ids=[run_id], task_ids=[_BUILD]).get(run_id, {})
    if states.get(_BUILD) != "success":
        return None
    left = ti.xcom_pull(_BUILD, dag_id=BACKFILLED, run_id=run_id, key="return_value")
    with suppress(ValidationError):  # of another version: the report of all other days goes out
        return Report.model_validate(left)
    return None


def _is_unfinished(ti: Any, run_id: str) -> bool:
    """Return whether a run isn't over; one that was deleted is, and asking for its state is an error."""
    return bool(ti.get_dr_count(dag_id=BACKFILLED, run_ids=[run_id], states=UNFINISHED))
