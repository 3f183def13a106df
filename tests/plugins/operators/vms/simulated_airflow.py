"""Airflow's order of tasks, simulated in virtual time: slots, priorities, mapped tasks that wait.

Whatever decides is real: the DAG files' weights, the operators, the trigger. A host is a light stand-in that
knows only whether one of its VMs has an open backup.
"""

import heapq
import importlib.util
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from airflow.task.priority_strategy import validate_and_load_priority_weight_strategy

from include.errors import RescheduleError
from tests.site.airflow_home import PROJECT

RUN = "scheduled"
START_S = 1.2  # a task's process, measured
GROUP = "back_up_vm"
STEPS = ("begin_backup", "transfer_image", "verify_image", "publish_image", "end_backup")


def load_dag(name: str) -> DAG:
    """Run a DAG file, and return its DAG."""
    spec = importlib.util.spec_from_file_location(f"simulated_{name}", PROJECT / "dags" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dag: DAG = module.report.dag
    return dag


def weight(dag: DAG, task_id: str) -> int:
    """Return a task's total weight, by which the scheduler orders it."""
    task = dag.get_task(task_id)
    strategy = validate_and_load_priority_weight_strategy(task.weight_rule)  # type: ignore[arg-type]
    return strategy.get_weight(SimpleNamespace(task=task))  # type: ignore[arg-type]


class VirtualSleep:
    """Stands in for ``asyncio.sleep``: the simulation's clock lets the time pass."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Any:  # noqa: ANN401 - a generator
        """Yield the time to wait."""
        yield self.seconds


@dataclass
class Slots:
    """The workers' slots, and the clock.

    Args:
        free: how many slots are free.
    """

    free: int
    now_s: float = 0.0
    _ready: list[tuple[int, int, Callable[[], tuple[float, Callable[[], None]]]]] = field(
        default_factory=list
    )
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def at(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._events, (self.now_s + delay_s, self._count, action))

    def submit(self, task_weight: int, work: Callable[[], tuple[float, Callable[[], None]]]) -> None:
        """Queue a task; its work returns how long it takes, and what happens then."""
        self._count += 1
        heapq.heappush(self._ready, (-task_weight, self._count, work))

    def run(self, until_s: float) -> None:
        """Let the time pass."""
        while self._events and self._events[0][0] <= until_s:
            self.now_s = self._events[0][0]
            while self._events and self._events[0][0] == self.now_s:
                heapq.heappop(self._events)[2]()
            self._fill()

    def _fill(self) -> None:
        while self.free and self._ready:
            self.free -= 1
            lasts_s, then = heapq.heappop(self._ready)[2]()
            self.at(lasts_s, partial(self._end, then))

    def _end(self, then: Callable[[], None]) -> None:
        self.free += 1
        then()


class TaskInstance:
    """What the operators use of a task instance."""

    log_url = "http://airflow/dags/vm_weekly/runs/scheduled/tasks/x"
    max_tries = 3
    try_number = 1

    def __init__(self, run: "SimulatedRun", map_index: int = -1) -> None:
        self._run = run
        self.map_index = map_index

    def get_task_states(self, **_: object) -> dict[str, dict[str, str]]:
        """Return the states of all tasks."""
        return {RUN: self._run.states}

    def xcom_pull(self, task_id: str, *, map_indexes: int = -1, **_: object) -> Any:  # noqa: ANN401 - JSON
        """Return what ``list_vms`` returned for a host."""
        assert task_id == "list_vms"
        return self._run.plans[map_indexes]

    def xcom_push(self, key: str, value: object) -> None:
        """Take a failure."""
        raise AssertionError(f"{key}: {value}")


class SimulatedRun:
    """A run of ``vm_weekly`` on simulated slots.

    Args:
        slots: the workers.
        plans: what ``list_vms`` returns for each host.
        transfer_s: how long a transfer takes, per call.
    """

    def __init__(
        self,
        slots: Slots,
        plans: list[list[dict[str, Any]]],
        transfer_s: Callable[[], float],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.slots, self.plans, self._transfer_s = slots, plans, transfer_s
        self.states = {f"list_vms_{index}": "success" for index in range(len(plans))}
        self.dag = load_dag("vm_weekly")
        self.weights = {step: weight(self.dag, f"{GROUP}.{step}") for step in STEPS}
        self.open: dict[str, int] = {}
        self.executions: Counter[int] = Counter()
        self.begun_at: dict[int, float] = {}
        self.transfer_at: dict[int, float] = {}
        self.ended_at: dict[int, float] = {}
        self.most_open = 0
        monkeypatch.setattr("asyncio.sleep", VirtualSleep)
        self.mapped: list[dict[str, Any]] = self._operator("check_free_space").work(self._context())

    def start(self) -> None:
        """Queue each VM's first task, in the order of the map indexes."""
        for index in range(len(self.mapped)):
            self._set("begin_backup", index, "scheduled")
            self._set("end_backup", index, None)
            self.slots.submit(self.weights["begin_backup"], partial(self._begin, index))

    def _operator(self, task_id: str) -> Any:  # noqa: ANN401 - an operator of the project
        task = self.dag.get_task(task_id)
        assert isinstance(task, BaseOperator)
        return task

    def _context(self, index: int = -1) -> dict[str, Any]:
        run = SimpleNamespace(run_id=RUN, run_type="scheduled", run_after=datetime.now(UTC))
        return {
            "ti": TaskInstance(self, index),
            "dag": self.dag,
            "task": SimpleNamespace(retries=3),
            "dag_run": run,
            "params": {"dry_run": False},
            "task_reschedule_count": max(0, self.executions[index] - 1),
        }

    def _set(self, step: str, index: int, state: str | None) -> None:
        self.states[f"{GROUP}.{step}_{index}"] = state  # type: ignore[assignment]

    def _begin(self, index: int) -> tuple[float, Callable[[], None]]:
        """Execute the real operator once, on a host that takes one VM at a time."""
        self.executions[index] += 1
        self._set("begin_backup", index, "running")
        operator = self._operator(f"{GROUP}.begin_backup")
        operator.ssh_conn_id, operator.vm = self.mapped[index]["ssh_conn_id"], self.mapped[index]["vm"]
        operator.backup = partial(self._backup, index)
        try:
            operator.execute(self._context(index))
        except TaskDeferred as deferred:
            return START_S, partial(self._wait, index, deferred.trigger)
        except AirflowRescheduleException as later:
            delay_s = (later.reschedule_date - datetime.now(UTC)).total_seconds()
            return START_S, partial(self._again, index, delay_s)
        self.begun_at[index] = self.slots.now_s + START_S + 30
        return START_S + 30, partial(self._next, index, "begin_backup")

    def _backup(self, index: int, _context: object) -> Any:  # noqa: ANN401 - a stand-in
        host = self.mapped[index]["ssh_conn_id"]

        def begin_backup(*_: object) -> Any:  # noqa: ANN401 - a stand-in
            if host in self.open:
                raise RescheduleError("Another VM of the host is being backed up.", retry_in_s=10)
            self.open[host] = index
            self.most_open = max(self.most_open, len(self.open))
            return SimpleNamespace(
                vm=str(index),
                downtime_s=1.0,
                health_check="",
                model_dump=lambda **_: {"vm": index, "was": "off"},
            )

        return SimpleNamespace(
            vm=f"maq{index}", run=RUN, begin_backup=begin_backup, host=SimpleNamespace(scratch=None)
        )

    def _again(self, index: int, delay_s: float) -> None:
        self._set("begin_backup", index, "up_for_reschedule")
        begin = partial(self.slots.submit, self.weights["begin_backup"], partial(self._begin, index))
        self.slots.at(delay_s, begin)

    def _wait(self, index: int, trigger: Any) -> None:  # noqa: ANN401 - a trigger
        """Run the real trigger in virtual time."""
        self._set("begin_backup", index, "deferred")

        async def states() -> dict[str, str]:
            return self.states

        trigger.states = states
        self._resume(index, trigger.run().__anext__())

    def _resume(self, index: int, waiting: Any) -> None:  # noqa: ANN401 - an asynchronous generator's step
        try:
            delay_s = waiting.send(None)
        except StopIteration:
            self._again(index, 0)
        else:
            self.slots.at(delay_s, partial(self._resume, index, waiting))

    def _next(self, index: int, done: str) -> None:
        self._set(done, index, "success")
        if done == "end_backup":
            self.ended_at[index] = self.slots.now_s
            del self.open[self.mapped[index]["ssh_conn_id"]]
            return
        step = STEPS[STEPS.index(done) + 1]
        self.slots.submit(self.weights[step], partial(self._work, index, step))

    def _work(self, index: int, step: str) -> tuple[float, Callable[[], None]]:
        if step == "transfer_image":
            self.transfer_at[index] = self.slots.now_s
        lasts_s = self._transfer_s() if step in ("transfer_image", "verify_image") else 2.0
        return START_S + lasts_s, partial(self._next, index, step)


@dataclass
class SimulatedDaily:
    """A run of ``supim_daily`` with one day, beside.

    Args:
        slots: the workers.
        begins_s: when.
    """

    slots: Slots
    begins_s: float
    late_s: float | None = None

    def start(self) -> None:
        """Queue its first task when it is due."""
        dag = load_dag("supim_daily")
        lasts_s = dict.fromkeys(("choose_days", "survey_source", "plan_days", "check_free_space"), 3.0)
        lasts_s |= {"back_up_day.copy_day": 90, "back_up_day.verify_day": 60, "back_up_day.publish_day": 3}
        lasts_s |= {"build_report": 3, "email_report": 3}
        chain = [(weight(dag, task), seconds) for task, seconds in lasts_s.items()]
        self.slots.at(self.begins_s, partial(self._step, chain))
        self._alone_s = sum(seconds for _, seconds in chain)

    def _step(self, chain: list[tuple[int, float]]) -> None:
        if not chain:
            self.late_s = self.slots.now_s - self.begins_s - self._alone_s
            return
        (first, seconds), rest = chain[0], chain[1:]
        self.slots.submit(first, lambda: (seconds, partial(self._step, rest)))
