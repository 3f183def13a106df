"""What the DAGs share: schedules, run types, defaults of their tasks, and the tasks after a report."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator

from include.config import site_file
from include.config.site_file import Site
from include.remote.heartbeat import Kind
from inpe_backup.cron_timetable import ZonedCronTimetable
from inpe_backup.operators.backup_operator import RETRY_TRANSIENT_ERRORS
from inpe_backup.operators.report.check_result import CheckResultOperator
from inpe_backup.operators.report.email_report import EmailReportOperator
from inpe_backup.operators.report.send_heartbeat import SendHeartbeatOperator
from inpe_backup.operators.vault.refresh_status import RefreshStatusOperator
from inpe_backup.vault_queue import ANYWHERE, add_worker_check

if TYPE_CHECKING:
    from include.status.snapshot import PartName

# For ``allowed_run_types``, whose enum isn't public.
_MANUAL: Any = ["manual"]
NO_BACKFILL: Any = ["scheduled", "manual"]
BY_LISTENER: Any = ["operator_triggered", "manual"]  # Airflow demands manual where there is no schedule


def cron_schedule(site: Site, cron: str) -> ZonedCronTimetable:
    """Return a schedule in the institute's time zone; a DAG that is switched on waits for its next turn."""
    return ZonedCronTimetable(cron, timezone=site.institute.timezone, run_immediately=timedelta(0))


def by_hand(site: Site) -> dict[str, Any]:
    """Return the settings of a DAG that only a person starts, and that has no schedule."""
    return {
        "is_paused_upon_creation": False,  # while it is off, a run would wait for ever
        "catchup": False,
        "allowed_run_types": _MANUAL,
        "owner_links": {site.institute.name: site.mail.link},
    }


def default_args(site: Site, retry_delay_s: float) -> dict[str, Any]:
    """Return the ``default_args``: owner, the vault's queue, order, and which errors are retried."""
    return {
        "owner": site.institute.name,
        "queue": site.vault.queue or ANYWHERE["queue"],
        "executor": site.vault.executor,
        "weight_rule": "upstream",  # what is under way goes before what has yet to begin
        "retries": 3,
        "retry_delay": timedelta(seconds=retry_delay_s),
        "retry_policy": RETRY_TRANSIENT_ERRORS,
    }


def add_report_tasks(
    report: BaseOperator, *, refresh: "Sequence[PartName]", look_for_damage: bool = False
) -> None:
    """Email a report, check the run's result, and refresh the status page, whatever failed before.

    Each is a leaf, so that all three run. The run fails when its work or its mail failed, not for the page.

    Args:
        report: the task that builds the report.
        refresh: what the run may have changed in the vault.
        look_for_damage: whether it may have found damage there.
    """
    report >> EmailReportOperator(
        task_id="email_report", task_display_name="Email report", report=report.output
    )
    report >> CheckResultOperator(
        task_id="check_result", task_display_name="Check result", report=report.output
    )
    report >> RefreshStatusOperator(
        task_id="refresh_status",
        task_display_name="Update status page",
        parts=refresh,
        look_for_damage=look_for_damage,
    )
    add_monitoring(report.dag, site_file.current())


def add_monitoring(dag: DAG, site: Site) -> None:
    """Add what notices that the run can't work: heartbeats for a monitor, and a look for the vault's worker.

    The monitor notices a run that never starts, or never ends; heartbeats are added if one is connected.
    Airflow's own ``DeadlineAlert`` would mail about the second, but in 3.3.2 no run that has one can be
    cleared (``_recalculate_dagrun_queued_at_deadlines``: TypeError, status 500).
    """
    if conn_id := site.heartbeats.conn_id(dag.dag_id):
        _add_heartbeats(dag, site.heartbeats.kind, conn_id)
    add_worker_check(dag, site)


def _add_heartbeats(dag: DAG, kind: Kind, conn_id: str) -> None:
    """Add two teardowns: they run whatever failed before, and decide nothing about the run."""
    ends = [task for task in dag.leaves if not task.is_teardown]
    decisive = ends + [task for task in dag.tasks if task.on_failure_fail_dagrun]
    shared: dict[str, Any] = {"kind": kind, "conn_id": conn_id, "dag": dag, **ANYWHERE}
    start = SendHeartbeatOperator(
        task_id="send_start", task_display_name="Send start heartbeat", start=True, **shared
    )
    result = SendHeartbeatOperator(
        task_id="send_result", task_display_name="Send result heartbeat", start=False, **shared
    )
    start.as_teardown()
    [start, *decisive] >> result.as_teardown()
