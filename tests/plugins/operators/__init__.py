"""Tests of plugins/operators/."""

from types import SimpleNamespace
from typing import Any

RUN = "by-hand"


class FakeTask:
    """A task's context without an Airflow: what it leaves in XCom, and what other tasks left.

    Args:
        results: what other tasks returned, by their ids; a mapped one's by id and index, as ``list_vms_0``;
            what one left under another key by id and key, as ``check_free_space.refused``; one that left a
            ``failure`` failed.
        params: the run's params.
    """

    def __init__(self, results: dict[str, Any] | None = None, **params: object) -> None:
        self.results = results or {}
        self.params = {"dry_run": False, **params}
        self.left: dict[str, Any] = {}
        """What the task pushed to XCom, by key."""

    def context(self, **fields: object) -> Any:  # noqa: ANN401 - Airflow's is a TypedDict with 40 keys
        """Return the context for a task's ``work``."""
        states = dict.fromkeys(self.results, "success")
        states |= {left.removesuffix(".failure"): "failed" for left in states if left.endswith(".failure")}
        task_instance = SimpleNamespace(
            xcom_push=self.left.__setitem__,
            xcom_pull=self._pull,
            get_task_states=lambda **_: {RUN: states},
            max_tries=0,
        )
        return {
            "ti": task_instance,
            "dag": SimpleNamespace(dag_id="a_dag"),
            "dag_run": SimpleNamespace(run_id=RUN, run_type="manual"),
            "task": SimpleNamespace(retries=0),
            "params": self.params,
            **fields,
        }

    def _pull(self, task: str, *, key: str = "return_value", map_indexes: int = -1) -> Any:  # noqa: ANN401
        name = task if map_indexes < 0 else f"{task}_{map_indexes}"
        return self.results.get(name if key == "return_value" else f"{name}.{key}")
