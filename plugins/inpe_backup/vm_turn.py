"""A VM's turn: it waits in the triggerer, without a worker, until the VMs before it in its lane are done."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.sdk import TaskInstanceState
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

PAUSE_S = 5.0
_DONE = {
    TaskInstanceState.SUCCESS,
    TaskInstanceState.FAILED,
    TaskInstanceState.SKIPPED,
    TaskInstanceState.UPSTREAM_FAILED,
    TaskInstanceState.REMOVED,
}


class VmTurnTrigger(BaseTrigger):
    """Fires when no VM before this one in its lane is being backed up, or still has its turn.

    Args:
        dag_id: the DAG.
        run_id: its run.
        tasks: the ids of the mapped tasks that begin and end a VM's backup.
        first: the map index of the lane's first VM.
        index: the VM's own map index.
    """

    def __init__(self, *, dag_id: str, run_id: str, tasks: Sequence[str], first: int, index: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._dag_id, self._run_id, self._tasks = dag_id, run_id, list(tasks)
        self._first, self._index = first, index

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class's path and its arguments."""
        run = {"dag_id": self._dag_id, "run_id": self._run_id, "tasks": self._tasks}
        return f"{__name__}.{type(self).__name__}", {**run, "first": self._first, "index": self._index}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the turn: the more VMs are ahead, the longer until the next look."""
        while True:
            if not (ahead := self.ahead(await self.states())):
                yield TriggerEvent(None)  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(ahead * PAUSE_S * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the looks

    async def states(self) -> Mapping[str, str | None]:
        """Return the states of the run's beginning and ending tasks, as a task sees them."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415 - in tasks only

        found = await sync_to_async(RuntimeTaskInstance.get_task_states)(**self.query)
        return dict(found.get(self._run_id, {}))

    @property
    def query(self) -> dict[str, Any]:
        """The arguments for ``get_task_states``."""
        return {"dag_id": self._dag_id, "run_ids": [self._run_id], "task_ids": self._tasks}

    def ahead(self, states: Mapping[str, str | None]) -> int:
        """Return how many VMs come before this one."""
        return sum(self._is_ahead(states, vm) for vm in range(self._first, self._index))

    def _is_ahead(self, states: Mapping[str, str | None], vm: int) -> bool:
        begin, end = (states.get(f"{task}_{vm}") for task in self._tasks)
        # Its host may be unreachable for long; should its backup be open, the host's agent answers that.
        retries = TaskInstanceState.UP_FOR_RETRY in (begin, end)
        return end not in _DONE and not retries
