"""A run that a person marks as failed ends as failed, also where it has a teardown to wait for.

Airflow skips what hasn't run yet, lets teardowns run, and leaves the run's state to its last tasks; skipped
as they are, the run would end as a success. A listener (Airflow: Listeners) fails the task that checks the
result. The web server calls it when the run is marked, in the transaction that does it; the scheduler calls
it for runs that have ended. An error here is logged, and never keeps a run from being marked.
"""

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from inpe_backup.run_note import CHECK
from inpe_backup.savepoint import savepoint

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

_ENDED = ("success", "failed")

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_failed(dag_run: "DagRun") -> None:
    """Fail the task that checks the result of a run that was marked as failed and goes on."""
    from sqlalchemy.orm import object_session  # noqa: PLC0415 - tasks import plugins and have no database

    if dag_run.state in _ENDED or (session := object_session(dag_run)) is None:
        return
    try:
        with savepoint(session):
            _fail_check(dag_run, session)
            session.flush()
    except Exception:
        log.exception("The run %s of %s may end as a success.", dag_run.run_id, dag_run.dag_id)


def _fail_check(dag_run: "DagRun", session: "Session") -> None:
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415 - as above
    from sqlalchemy import select  # noqa: PLC0415

    of_run = select(TaskInstance).filter_by(dag_id=dag_run.dag_id, run_id=dag_run.run_id, operator=CHECK)
    for check in session.scalars(of_run):
        check.set_state("failed", session=session)
