"""Check whether the vault's worker went away in the middle of a run whose last tasks have failed."""

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.config import site_file
from include.errors import NoWorkerError
from include.report.alarm import worker_gone
from include.results.task_labels import task_label
from inpe_backup.alarm import mail_alarms
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.operators.vault import check_worker
from inpe_backup.xcom import FAILURE


class CheckWorkerAgainOperator(BackupOperator):
    """Mail an alarm if tasks failed that no worker began or ended: then nothing else of the run is mailed.

    Airflow gives up what waits in the vault's queue, after half an hour, and with it the report.

    Args:
        last_tasks: the ids of the tasks that a run of the vault's worker ends with.
    """

    def __init__(self, *, last_tasks: list[str], **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type] # passed on
        self.last_tasks = last_tasks

    def work(self, context: Context) -> None:
        """Mail the alarm, and fail; skip the task if the tasks ran, or were never to run.

        Raises:
            NoWorkerError: a task was given up; this was mailed.
            TransientError: Celery's broker can't be asked.
        """
        if not (lost := self._lost(context)):
            raise AirflowSkipException("No task was given up: see the tasks that failed.")
        queue = site_file.current().vault.queue or ""
        reason = went_away(queue, lost, check_worker.queues(check_worker.MORE_ANSWERS_S))
        mail_alarms(context, self.log, [worker_gone(queue, reason)])
        raise NoWorkerError(reason)

    def _lost(self, context: Context) -> list[str]:
        """Return the tasks that failed without leaving a reason, as every task does that runs."""
        ti = context["ti"]
        states = ti.get_task_states(ti.dag_id, task_ids=self.last_tasks, run_ids=[ti.run_id])
        failed = [name for name, state in states.get(ti.run_id, {}).items() if state == "failed"]
        return [name for name in failed if not ti.xcom_pull(task_ids=name, key=FAILURE)]


def went_away(queue: str, lost: list[str], served: dict[str, set[str]]) -> str:
    """Return what happened, and what to do."""
    tasks = " and ".join(map(task_label, lost))
    now = sorted(worker for worker, names in served.items() if queue in names)
    back = f"Now it is served by {', '.join(now)}." if now else check_worker.how_to_start(served)
    return (
        f"The vault's worker went away in the middle of this run: {tasks} waited for it in the queue {queue} "
        f"until Airflow gave up, so there is no report. {back}"
    )
