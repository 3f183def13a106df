"""A one-line summary of each run, as the run's note in the web UI.

A task can't write its run's note, so a listener does (Airflow: Listeners). Airflow calls it when a run ends,
usually in the scheduler, within the transaction that commits the run's state: state and note appear together.
It only reads the summary that ``check_result`` or ``protect_image`` pushed; the scheduler parses no report.
An error here is logged, and never keeps a run from ending. A note that a person wrote is kept.
"""

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from inpe_backup.savepoint import savepoint

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

NOTE = "note"
"""The XCom key of the summary that ``check_result`` pushes, and ``protect_image``."""
CHECK, MAIL, PROTECT = "CheckResultOperator", "EmailReportOperator", "ProtectImageOperator"
"""The operators by which a run of this project's DAGs is recognized."""
NO_REPORT = "No report was built: check the tasks' logs"
NO_MAIL = "the mail could not be sent"
MARKED = "Ended by hand before its result was checked. What had begun may be done; nothing was reported"
"""The note of a run that a person marked as failed, or as a success, while it was running."""
_SKIPPED = "skipped"
_MAX_LENGTH = 1000  # the size of the database column

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: "DagRun") -> None:
    """Write the note of a run that succeeded."""
    _write_note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: "DagRun") -> None:
    """Write the note of a run that failed."""
    _write_note(dag_run)


def _write_note(dag_run: "DagRun") -> None:
    from sqlalchemy.orm import object_session  # noqa: PLC0415 - tasks import this module and have no database

    try:
        session = object_session(dag_run)
        if session is not None:
            with savepoint(session) as connection:  # a person may write a note just now
                _write(dag_run, session, connection)
            session.expire(dag_run, ["dag_run_note"])
    except Exception:
        log.exception("No note was written for the run %s of %s.", dag_run.run_id, dag_run.dag_id)


def _write(dag_run: "DagRun", session: "Session", connection: "Connection") -> None:
    """Write a note, unless a person wrote one."""
    from airflow.models.dagrun import DagRunNote  # noqa: PLC0415 - as above
    from sqlalchemy import insert, select, update  # noqa: PLC0415

    if not (text := _text(dag_run, session)):
        return
    its, written = DagRunNote.dag_run_id == dag_run.id, {"content": text[:_MAX_LENGTH]}
    if connection.scalar(select(DagRunNote.dag_run_id).where(its)) is None:
        connection.execute(insert(DagRunNote).values(dag_run_id=dag_run.id, **written))
    else:  # Airflow records who wrote a note; a note of ours, from before a task was cleared, has no user
        connection.execute(update(DagRunNote).where(its, DagRunNote.user_id.is_(None)).values(written))


def _text(dag_run: "DagRun", session: "Session") -> str | None:
    """Return the note of a run; None if it isn't a run of this project's DAGs."""
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415 - as above
    from airflow.models.xcom import XComModel  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    of_run = {"dag_id": dag_run.dag_id, "run_id": dag_run.run_id}
    columns = select(TaskInstance.operator, TaskInstance.task_id, TaskInstance.state)
    tasks = session.execute(
        columns.filter_by(**of_run).where(TaskInstance.operator.in_([CHECK, MAIL, PROTECT]))
    )
    found = {operator: (name, state) for operator, name, state in tasks}
    if not (noted := found.get(CHECK) or found.get(PROTECT)):
        return None
    task_id, state = noted
    pushed = select(XComModel.value).filter_by(**of_run, task_id=task_id, key=NOTE)
    # A cleared task's XCom stays until the task starts again, and it may not have started yet.
    summary = session.scalar(pushed) if state in ("success", "failed") else None
    summary = MARKED if state == _SKIPPED else summary  # it runs whatever failed before it
    mailed = summary == MARKED or MAIL not in found or found[MAIL][1] != "failed"
    return (summary or NO_REPORT) + ("" if mailed else f" · {NO_MAIL}")
