"""The vault's queue: which tasks need not be on it, and the check that a worker serves it."""

from typing import Any

from airflow.sdk import DAG, TriggerRule
from airflow.sdk.configuration import conf

from include.config.site_file import Site
from inpe_backup.operators.vault.check_worker import CheckWorkerOperator
from inpe_backup.operators.vault.check_worker_again import CheckWorkerAgainOperator

ANYWHERE: dict[str, Any] = {"queue": conf.get("operators", "default_queue"), "executor": None}
"""Arguments of tasks that touch no vault: any worker of the default queue runs them."""
_LAST = ("build_report", "refresh_status", "protect_image")
"""What runs end with; without it, nobody gets to know how they ended."""


def add_worker_check(dag: DAG, site: Site) -> None:
    """Have a task of the default queue look for the vault's worker first, if Celery runs the vault's tasks.

    Where there is none, no task of the vault's queue waits for it: all are upstream_failed. If it goes away
    later, the run's last tasks are given up in the queue, and another task of the default queue mails that.
    """
    executor = site.vault.executor or conf.get("core", "executor")
    if site.vault.queue is None or "Celery" not in executor:
        return
    waiting = [task for task in dag.tasks if task.queue == site.vault.queue]
    check = CheckWorkerOperator(task_id="check_worker", task_display_name="Check worker", dag=dag, **ANYWHERE)
    for task in waiting:
        gated = task.trigger_rule == TriggerRule.ALL_DONE
        if gated:
            _add_gate(task)
        if gated or not task.upstream_task_ids:
            check >> task
    last = [task for task in waiting if task.task_id in _LAST]
    last >> CheckWorkerAgainOperator(
        task_id="check_worker_again",
        task_display_name="Check worker again",
        trigger_rule=TriggerRule.ONE_FAILED,
        last_tasks=[task.task_id for task in last],
        dag=dag,
        **ANYWHERE,
    )


def _add_gate(task: Any) -> None:  # noqa: ANN401 - an operator, mapped or not
    """Wait for what a task waits for in another task, which never fails; so that other failures count.

    Airflow has no rule for "after these, whatever they did, but only if that one succeeded". A task without
    work is run by the scheduler itself, in no queue.
    """
    from airflow.providers.standard.operators.empty import EmptyOperator  # noqa: PLC0415 - only where it's needed

    gate = EmptyOperator(
        task_id=f"before_{task.task_id}",
        task_display_name=f"Before {task.task_display_name.lower()}",
        trigger_rule=TriggerRule.ALL_DONE,
        dag=task.dag,
        **ANYWHERE,
    )
    for before in task.upstream_list:
        before.downstream_task_ids.discard(task.task_id)
        before >> gate
    task.upstream_task_ids.clear()
    task.trigger_rule = TriggerRule.ALL_SUCCESS
    gate >> task
