"""A note on each run that sums it up in one line, beside the run in the web page.

A task can't write its run's note, so a listener does (Airflow: Listeners). It's called once a run is over, by
the scheduler as a rule, within the transaction that makes the run's state known: state and note are seen
together. What ``verdict`` left is all that it reads: no report is parsed in the scheduler. What goes wrong
here is logged, and never keeps a run from ending. A note that a person wrote stays.
"""

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

NOTE = "note"
"""The XCom key under which the task that judges a run leaves its summary."""
JUDGE, MAIL = "JudgeRunOperator", "EmailReportOperator"
"""By these operators a run of this project's DAGs is known."""
NO_REPORT = "No report was written: see the tasks' logs"
NO_MAIL = "the mail failed"
_LONGEST = 1000  # what the database's column takes

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: "DagRun") -> None:
    """Sum up a run that succeeded."""
    _sum_up(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: "DagRun") -> None:
    """Sum up a run that failed."""
    _sum_up(dag_run)


def _sum_up(dag_run: "DagRun") -> None:
    from sqlalchemy.orm import object_session  # noqa: PLC0415 - tasks import this module and have no database

    try:
        session = object_session(dag_run)
        if session is not None and (told := _told(dag_run, session)):
            _write(dag_run, told[:_LONGEST], session)
    except Exception:
        log.exception("The run %s of %s got no note.", dag_run.run_id, dag_run.dag_id)


def _write(dag_run: "DagRun", told: str, session: "Session") -> None:
    """Write a note, unless there is one of a person's."""
    from airflow.models.dagrun import DagRunNote  # noqa: PLC0415 - as above
    from sqlalchemy import insert, select, update  # noqa: PLC0415

    session.flush()
    connection, its = session.connection(), DagRunNote.dag_run_id == dag_run.id
    # In a savepoint, what fails (a person writes a note just now) takes nothing else with it. It's the
    # connection's: the scheduler lets nobody commit in its session, and a session's savepoint counts as that.
    with connection.begin_nested():
        if connection.scalar(select(DagRunNote.dag_run_id).where(its)) is None:
            connection.execute(insert(DagRunNote).values(dag_run_id=dag_run.id, content=told))
        else:  # Airflow keeps who wrote a note; nobody stands there for ours, of an earlier round
            ours = update(DagRunNote).where(its, DagRunNote.user_id.is_(None))
            connection.execute(ours.values(content=told))
    session.expire(dag_run, ["dag_run_note"])


def _told(dag_run: "DagRun", session: "Session") -> str | None:
    """Give what there is to say of a run; None if it's no run of this project's."""
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415 - as above
    from airflow.models.xcom import XComModel  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    of_run = {"dag_id": dag_run.dag_id, "run_id": dag_run.run_id}
    columns = select(TaskInstance.operator, TaskInstance.task_id, TaskInstance.state)
    tasks = session.execute(columns.filter_by(**of_run).where(TaskInstance.operator.in_([JUDGE, MAIL])))
    found = {operator: (name, state) for operator, name, state in tasks}
    if JUDGE not in found:
        return None
    judge, judged = found[JUDGE]
    left = select(XComModel.value).filter_by(**of_run, task_id=judge, key=NOTE)
    # What was left before the task was cleared stays until it starts again, which it may not have done.
    told = session.scalar(left) if judged in ("success", "failed") else None
    mailed = MAIL not in found or found[MAIL][1] != "failed"
    return (told or NO_REPORT) + ("" if mailed else f" · {NO_MAIL}")
