"""Check that a worker takes the vault's tasks, before one of them waits for it."""

import time
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.errors import NoWorkerError, TransientError
from include.report.alarm import worker_gone, worker_key
from inpe_backup.alarm import mail_alarms, mail_ends
from inpe_backup.operators.backup_operator import BackupOperator

PATIENCE_S = 30.0
"""A worker that is restarted isn't missing; yet a missing one is known within a minute."""
FIRST_ANSWERS_S, MORE_ANSWERS_S = 1.0, 5.0


class CheckWorkerOperator(BackupOperator):
    """Ask Celery's workers which queues they serve; mail an alarm if none serves the vault's.

    It runs on another queue. Without it, the vault's tasks would be queued until Airflow gives them up, half
    an hour later (``scheduler.task_queued_timeout``, three times), and the report with them.
    """

    def work(self, context: Context) -> list[str]:
        """Return the names of the workers that serve the vault's queue.

        Raises:
            NoWorkerError: none does; this was mailed.
            TransientError: Celery's broker can't be asked.
        """
        queue = site_file.current().vault.queue or ""
        try:
            workers = serving(queue)
        except NoWorkerError as error:
            mail_alarms(context, self.log, [worker_gone(queue, str(error))])
            raise
        self.log.info("The queue %s is served by %s.", queue, ", ".join(workers))
        mail_ends(self.log, lambda key: key == worker_key(queue))
        return workers


def serving(queue: str, patience_s: float = PATIENCE_S) -> list[str]:
    """Return the names of the workers that serve a queue; wait for one.

    Raises:
        NoWorkerError: none did in that time.
        TransientError: Celery's broker can't be asked.
    """
    give_up, served = time.monotonic() + patience_s, queues(FIRST_ANSWERS_S)
    while not (workers := sorted(worker for worker, served_by in served.items() if queue in served_by)):
        if time.monotonic() > give_up:
            raise NoWorkerError(no_worker(queue, served))
        served = queues(MORE_ANSWERS_S)
    return workers


def queues(answers_s: float) -> dict[str, set[str]]:
    """Return the queues that each of Celery's workers serves.

    Args:
        answers_s: how long to wait for answers; all workers that answer in this time are returned.

    Raises:
        TransientError: Celery's broker can't be asked.
    """
    # Only where there is Celery, and in a task:
    from airflow.providers.celery.executors.celery_executor import app  # noqa: PLC0415
    from celery import Celery  # type: ignore[import-untyped]  # noqa: PLC0415
    from kombu import pools  # noqa: PLC0415
    from kombu.exceptions import OperationalError  # noqa: PLC0415

    # An app of its own, as Airflow's command `celery worker` makes one for the same question: the worker's
    # connections, which this process has inherited, must not be used.
    pools.reset()  # type: ignore[no-untyped-call]
    asked = Celery(set_as_current=False)
    asked.conf.update(app.conf)
    try:
        answers: Mapping[str, list[dict[str, Any]]] | None = asked.control.inspect(
            timeout=answers_s
        ).active_queues()
    except (OperationalError, OSError) as error:
        raise TransientError(f"Celery's broker can't be asked for the vault's worker: {error}.") from error
    finally:
        asked.close()
        pools.reset()  # type: ignore[no-untyped-call]
    return {worker: {queue["name"] for queue in served} for worker, served in (answers or {}).items()}


def no_worker(queue: str, served: Mapping[str, set[str]]) -> str:
    """Return what happened, and what to do."""
    return (
        f"No worker serves the queue {queue}, vaults.main.queue of the site file. Nothing was begun. "
        f"{how_to_start(served)}"
    )


def how_to_start(served: Mapping[str, set[str]]) -> str:
    """Return what to do, and which workers answered."""
    others = "; ".join(f"{worker} ({', '.join(sorted(names))})" for worker, names in sorted(served.items()))
    return (
        "Start it on the vault's machine: docker compose up --detach worker-vault. Workers that answered: "
        f"{others or 'none'}."
    )
