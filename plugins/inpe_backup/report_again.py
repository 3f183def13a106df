"""A run of which tasks were cleared ends the backup jobs that it begins again, and builds its report again.

*Clear only failed tasks* leaves a report that was built, and so a mail, a note and a page of how it was then;
the task that checks the result would fail of it at once. It also leaves the task that ended a VM's backup:
one that is begun again would stay open on the host until that gives it up. And of a run that a person marked
as failed, it leaves all tasks that hadn't begun: Airflow has skipped them. A listener (Airflow: Listeners)
clears these, too, as *Downstream* does. The scheduler calls it when the run starts again, in the transaction
that commits the run's state. An error here is logged, and never keeps a run from starting.
"""

import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow.listeners import hookimpl

from inpe_backup.run_note import CHECK
from inpe_backup.savepoint import savepoint

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

BUILD = "BuildReportOperator"
"""The operator by which a run with a report is recognized."""
END = "EndBackupOperator"
"""The operator that ends a VM's backup, after the other tasks of its group."""

_SKIPPED = "skipped"

log = logging.getLogger(__name__)


class Task(Protocol):
    """What is read of a task instance."""

    task_id: str
    map_index: int
    operator: str | None
    state: str | None


AnyTask = TypeVar("AnyTask", bound=Task)


@hookimpl
def on_dag_run_running(dag_run: "DagRun") -> None:
    """Clear the report and what follows it if a task before it was cleared, and the ends of such backups."""
    if not dag_run.clear_number:
        return
    try:
        _clear_outdated(dag_run)
    except Exception:
        log.exception("The report of the run %s of %s may be outdated.", dag_run.run_id, dag_run.dag_id)


def _clear_outdated(dag_run: "DagRun") -> None:
    from airflow.models.taskinstance import clear_task_instances  # noqa: PLC0415 - tasks have no database
    from sqlalchemy.orm import object_session  # noqa: PLC0415

    session = object_session(dag_run)
    if session is None or dag_run.dag is None:
        return
    with savepoint(session):
        tasks: list[TaskInstance] = dag_run.get_task_instances(session=session)
        report = next((one.task_id for one in tasks if one.operator == BUILD), None)
        if report is None:
            return
        after = dag_run.dag.get_task(report).get_flat_relative_ids(upstream=False)
        if again := outdated(tasks, report, after):
            log.info("Clearing %s, too, after what was cleared.", ", ".join(one.task_id for one in again))
            clear_task_instances(again, session, dag_run_state=False)


def outdated(tasks: Sequence[AnyTask], report: str, after: Collection[str]) -> list[AnyTask]:
    """Return the tasks that must run again, although nobody cleared them.

    Args:
        tasks: all tasks of a run that starts again; those that were cleared have no state.
        report: the id of the task that builds the report.
        after: the ids of the tasks after it.
    """
    cleared = [one for one in tasks if one.state is None]
    before = {_vm(one) for one in cleared if one.task_id not in after}
    # The report is built whatever failed before it, unless a person ends the run.
    ended = any(one.task_id == report and one.state == _SKIPPED for one in tasks)
    goes_on = ended and (before or any(one.operator == CHECK for one in cleared))
    if not (before or goes_on):
        return []

    def is_outdated(one: AnyTask) -> bool:
        if one.task_id in {report, *after} or (goes_on and one.state == _SKIPPED):
            return True
        return one.operator == END and _vm(one) in before

    return [one for one in tasks if one.state is not None and is_outdated(one)]


def _vm(task: Task) -> tuple[str, int]:
    """Return a task's group, and its index there: those of one VM have both in common."""
    return task.task_id.rpartition(".")[0], task.map_index
