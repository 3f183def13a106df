"""One form of the rows of a mapped task: all are named by their day or VM.

Airflow names a row when its task runs. So a row whose task never ran, because the one before it failed, would
be the only one with a number: at the end of a run, a listener (Airflow: Listeners) gives it the name of the
row of the same number in its group. An error here is logged, and never keeps a run from ending.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from inpe_backup.run_note import CHECK
from inpe_backup.savepoint import savepoint

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

Row = tuple[str, int, str | None]
"""A task's id, the row's number, and its name; None: it has none."""

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: "DagRun") -> None:
    """Name the rows of a run that succeeded."""
    _name_rows(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: "DagRun") -> None:
    """Name the rows of a run that failed."""
    _name_rows(dag_run)


def names(rows: Iterable[Row]) -> Iterator[tuple[str, int, str]]:
    """Yield a name for each row without one that has a named neighbour: same group, same number."""
    every = list(rows)
    known = {(_group(task), number): name for task, number, name in every if name}
    for task, number, name in every:
        if not name and (found := known.get((_group(task), number))):
            yield task, number, found


def _group(task: str) -> str:
    group, dot, _ = task.rpartition(".")
    return group if dot else task


def _name_rows(dag_run: "DagRun") -> None:
    from sqlalchemy.orm import object_session  # noqa: PLC0415 - tasks import this module and have no database

    try:
        if (session := object_session(dag_run)) is not None:
            with savepoint(session):
                _save(dag_run, session)
    except Exception:
        log.exception("The rows of the run %s of %s were not named.", dag_run.run_id, dag_run.dag_id)


def _save(dag_run: "DagRun", session: "Session") -> None:
    from airflow.models.taskinstance import TaskInstance as Task  # noqa: PLC0415 - as above
    from sqlalchemy import select, update  # noqa: PLC0415

    of_run = (Task.dag_id == dag_run.dag_id, Task.run_id == dag_run.run_id)
    if session.scalar(select(Task.task_id).where(*of_run, Task.operator == CHECK)) is None:
        return  # another project's
    named = Task._rendered_map_index  # noqa: SLF001 - the column; its public name falls back to the number
    rows = session.execute(select(Task.task_id, Task.map_index, named).where(*of_run, Task.map_index >= 0))
    for task, number, name in names(rows.tuples().all()):
        its = update(Task).where(*of_run, Task.task_id == task, Task.map_index == number)
        session.execute(its.values({named: name}), execution_options={"synchronize_session": False})
