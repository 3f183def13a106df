"""The partition key of a run of days that was started without one.

The form and the API take the day as a param or as the key, and Airflow derives no key from a param. So a
listener (Airflow: Listeners) gives the run its key when it starts: the list of runs shows its day, and it is
found, cleared and skipped by a backfill as if it had been started by key. An error here is logged, and never
keeps a run from starting: its first task reports what is wrong with its day.
"""

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from inpe_backup.timetable import OrdinalDayTimetable

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: "DagRun") -> None:
    """Give a run its key. The scheduler calls this in the transaction that commits the run's state."""
    timetable = getattr(dag_run.dag, "timetable", None)
    if dag_run.partition_key is not None or not isinstance(timetable, OrdinalDayTimetable):
        return
    try:
        run = {"dag_run": dag_run, "params": dag_run.conf or {}, "logical_date": dag_run.logical_date}
        key = str(timetable.day_of(run))
        dag_run.partition_date = timetable.resolve_partition_date(key)
        dag_run.partition_key = key
    except Exception:
        log.exception("The run %s of %s got no partition key.", dag_run.run_id, dag_run.dag_id)
