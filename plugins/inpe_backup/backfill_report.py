"""One mail for a whole backfill: a run of ``supim_backfill_report`` watches each backfill from its start.

A task can't know its backfill, and a listener in the scheduler must not create runs in its transaction. So
the listener only reads: it adds the backfill's id to the configuration of each of its runs when that starts.
The first task of each run then asks Airflow for the watching run, whose id is the backfill's: that is unique,
so one of them gets it, and the others learn that it is there. When the watching run starts, the listener adds
the ids of all runs of the backfill, which Airflow commits together before any of them starts.

Where that DAG is paused, or anything of this fails, a run isn't watched, and sends its own mail.
"""

import logging
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from inpe_backup.savepoint import savepoint

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

WATCHER = "supim_backfill_report"
"""The DAG that watches backfills."""
WATCH = "watch_backfill"
"""Its task that waits for the end."""
BACKFILL, RUNS = "backfill_id", "backfill_runs"
"""Keys of a run's configuration: the id of its backfill; of a watching run also its runs' ids by day."""
UNFINISHED = ["queued", "running"]
_ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_running(dag_run: "DagRun") -> None:
    """Add to a run's configuration what it can't know."""
    run_id, conf = dag_run.run_id, dict(dag_run.conf or {})
    if dag_run.backfill_id is None and dag_run.dag_id != WATCHER:
        return
    from sqlalchemy.orm import object_session  # noqa: PLC0415 - tasks import this module and have no database

    try:
        if (session := object_session(dag_run)) is None:
            return
        if dag_run.dag_id == WATCHER:
            with savepoint(session) as connection:
                runs = _runs(conf.get(BACKFILL), connection)
            dag_run.conf = conf | {RUNS: runs}
        elif _is_on(session):
            dag_run.conf = conf | {BACKFILL: dag_run.backfill_id}
    except Exception:
        log.exception("The backfill of the run %s isn't watched; the run sends its own mail.", run_id)


def ensure_watched(dag_run: Any) -> None:  # noqa: ANN401 - Airflow's run
    """Start the watching run of a run's backfill, unless it is there; do nothing for other runs."""
    if dag_run.run_type != "backfill" or (backfill := (dag_run.conf or {}).get(BACKFILL)) is None:
        return
    from airflow.sdk.execution_time.comms import TriggerDagRun  # noqa: PLC0415 - in tasks only
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS  # noqa: PLC0415 - the same

    try:
        SUPERVISOR_COMMS.send(
            TriggerDagRun(dag_id=WATCHER, run_id=watching_run(backfill), conf={BACKFILL: backfill})
        )
    except Exception:  # the backup goes on
        log.exception("The backfill %s isn't watched; this run sends its own mail.", backfill)


def is_watched(context: Any) -> bool:  # noqa: ANN401 - Airflow's context
    """Return whether a task's run belongs to a backfill whose end is waited for.

    The report that follows the wait reads what the runs left; a run that ends meanwhile sends its own mail.
    """
    run = context["dag_run"]
    backfill = (run.conf or {}).get(BACKFILL)
    if run.run_type != "backfill" or backfill is None:
        return False
    ti, watcher = context["ti"], watching_run(backfill)
    if not ti.get_dr_count(dag_id=WATCHER, run_ids=[watcher], states=UNFINISHED):
        return False
    states = ti.get_task_states(dag_id=WATCHER, run_ids=[watcher], task_ids=[WATCH]).get(watcher, {})
    return states.get(WATCH) not in _ENDED


def watching_run(backfill: int) -> str:
    """Return the id of the run that watches a backfill."""
    return f"backfill-{backfill}"


def _runs(backfill: object, connection: "Connection") -> dict[str, str]:
    from airflow.models.dagrun import DagRun  # noqa: PLC0415 - as above
    from sqlalchemy import select  # noqa: PLC0415

    if backfill is None:
        return {}
    of_backfill = select(DagRun.partition_key, DagRun.run_id).where(DagRun.backfill_id == backfill)
    return {key: run_id for key, run_id in sorted(connection.execute(of_backfill)) if key}


def _is_on(session: "Session") -> bool:
    from airflow.models.dag import DagModel  # noqa: PLC0415 - as above
    from sqlalchemy import select  # noqa: PLC0415

    its = select(DagModel.is_paused).where(DagModel.dag_id == WATCHER, DagModel.is_stale.is_(False))
    with savepoint(session) as connection:
        return connection.scalar(its) is False
