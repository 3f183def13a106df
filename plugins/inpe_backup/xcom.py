"""The results that a run's tasks left in XCom."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from include.results.failure import Failure

FAILURE = "failure"
"""The XCom key under which a failed task leaves its ``Failure``."""
REFUSED = "refused"
"""The XCom key under which a task leaves what it refused: the reason by the item's name."""


class TaskResults:
    """Read the results of a run's tasks; an ``include.results.tasks.Results``.

    Airflow deletes a task's XComs when the task starts, not when it is cleared, so a cleared task that never
    ran again still has its old ones. Therefore a task's state is checked first.

    Args:
        context: of the current task.
        tasks: task ids by name; any other name is taken as a task id.
    """

    def __init__(self, context: Context, tasks: Mapping[str, str | Sequence[str]] | None = None) -> None:
        self._ti = context["ti"]
        self._tasks = tasks or {}
        run_id = context["dag_run"].run_id
        states = self._ti.get_task_states(dag_id=context["dag"].dag_id, run_ids=[run_id])
        self._states: dict[str, str | None] = states[run_id]

    def result(self, task: str, index: int = -1) -> Any:  # noqa: ANN401 - what the task returned
        """Return what a task returned; None unless it succeeded."""
        task_id = self.task_id(task)
        if self._state(task_id, index) != "success":
            return None
        return self._ti.xcom_pull(task_id, map_indexes=index)

    def refused(self, task: str) -> dict[str, str]:
        """Return the items that a task refused although it succeeded, each with the reason."""
        task_id = self.task_id(task)
        left = self._ti.xcom_pull(task_id, key=REFUSED) if self._state(task_id, -1) == "success" else None
        return dict(left or {})

    def failures(self, *tasks: str, index: int = -1) -> list[Failure]:
        """Return the failures of these tasks, in this order."""
        ids = [task_id for task in tasks for task_id in self._ids(task)]
        failed = (task_id for task_id in ids if self._state(task_id, index) == "failed")
        left = (self._ti.xcom_pull(task_id, key=FAILURE, map_indexes=index) for task_id in failed)
        return [Failure.model_validate(failure) for failure in left if failure]

    def task_id(self, task: str) -> str:
        """Return a task's id; the last one's where the name stands for several."""
        return self._ids(task)[-1]

    def _ids(self, task: str) -> Sequence[str]:
        ids = self._tasks.get(task, task)
        return [ids] if isinstance(ids, str) else ids

    def _state(self, task_id: str, index: int) -> str | None:
        return self._states.get(task_id if index < 0 else f"{task_id}_{index}")
