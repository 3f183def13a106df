"""A run that a person marks as failed ends as failed, also where it has a teardown to wait for.

Airflow skips what hasn't run yet, lets teardowns run, and leaves the run's state to its last tasks; skipped
as they are, the run would end as a success. A listener (Airflow: Listeners) fails the task that checks the
result, and pushes the run's note in its place. The web server calls it when the run is marked, in the
transaction that does it; the scheduler calls it for runs that have ended. An error here is logged, and never
keeps a run from being marked.
"""

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from inpe_backup.run_note import CHECK, MARKED, NOTE
from inpe_backup.savepoint import savepoint

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

_ENDED = ("success", "failed")

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_failed(dag_run: "DagRun") -> None:
    """Fail the task that checks the result of a run that was marked as failed and goes on."""
    from sqlalchemy.orm import object_session  # noqa: PLC0415 - tasks import this module and have no database

    if dag_run.state in _ENDED or (session := object_session(dag_run)) is None:
        return
    try:
        with savepoint(session):
            _fail_check(dag_run, session)
            session.flush()
    except Exception:
        log.exception("The run %s of %s may end as a success.", dag_run.run_id, dag_run.dag_id)


def _fail_check(run: "DagRun", session: "Session") -> None:
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415 - as above
    from airflow.models.xcom import XComModel  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    checks = select(TaskInstance).filter_by(dag_id=run.dag_id, run_id=run.run_id, operator=CHECK)
    for check in session.scalars(checks):
        check.set_state("failed", session=session)
        task = check.task_id
        XComModel.set(
            NOTE, MARKED, dag_id=run.dag_id, run_id=run.run_id, task_id=task, serialize=False, session=session
        )
