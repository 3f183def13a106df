"""What a run's tasks left, for those that gather it."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.failure import Failure

FAILURE = "failure"
"""The XCom key under which a failed task leaves why."""


class Leavings:
    """What the run's tasks left, as far as it is of this round.

    Airflow drops a task's XComs when it starts, not when it is cleared: what a task left that didn't come
    to its turn again, after another was cleared and failed, is of the past. So states are asked first.
    """

    def __init__(self, context: Context) -> None:
        self._ti = context["ti"]
        run_id = context["dag_run"].run_id
        states = self._ti.get_task_states(dag_id=context["dag"].dag_id, run_ids=[run_id])
        self._states: dict[str, str | None] = states[run_id]

    def result(self, task: str, index: int = -1) -> Any:  # noqa: ANN401 - whatever the task returned
        """Give what a task returned; None unless it succeeded."""
        if self._state(task, index) != "success":
            return None
        return self._ti.xcom_pull(task, map_indexes=index)

    def failures(self, tasks: Sequence[str], index: int = -1) -> list[Failure]:
        """Give why those of some tasks failed that did and could say so."""
        failed = (task for task in tasks if self._state(task, index) == "failed")
        left = (self._ti.xcom_pull(task, key=FAILURE, map_indexes=index) for task in failed)
        return [Failure.model_validate(failure) for failure in left if failure]

    def failures_of_run(self, needed: str, *others: str) -> list[Failure]:
        """Give the same of tasks that work for the whole run; also that the needed one left nothing."""
        told = self.failures([needed, *others])
        if told or self.result(needed) is not None:
            return told
        message = f"The task {needed} ended without a word: see its log, then clear it."
        return [Failure(task=needed, error="BackupError", message=message)]

    def _state(self, task: str, index: int) -> str | None:
        return self._states.get(task if index < 0 else f"{task}_{index}")
