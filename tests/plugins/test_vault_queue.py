"""Without a worker of the vault's queue, no task waits for one; what touches no vault runs on any worker."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG

from include.config import site_file
from tests.site.airflow_home import PROJECT

CHECK, AGAIN = "check_worker", "check_worker_again"
BACKFILLS = "supim_backfill_report"
NAMES = sorted(path.stem for path in (PROJECT / "dags").glob("*.py"))
CELERY = {"queue": "vault", "executor": "CeleryExecutor"}

Load = Callable[..., DAG]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return what loads a DAG file with such keys of the vault, in an Airflow with such executors."""

    def loaded(name: str, executors: str = "LocalExecutor", **keys: str) -> DAG:
        site: dict[str, Any] = yaml.safe_load(site_file.DEFAULT_PATH.read_text(encoding="utf-8"))
        site["vaults"]["main"] |= keys
        site["heartbeats"]["vm_weekly"] = "monitor"
        (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
        monkeypatch.setenv("INPE_BACKUP_SITE", str(tmp_path / "site.yaml"))
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executors)
        site_file.current.cache_clear()
        values = runpy.run_path(str(PROJECT / "dags" / f"{name}.py")).values()
        [dag] = {id(found): found for found in map(_dag_of, values) if found}.values()
        return dag

    yield loaded
    site_file.current.cache_clear()


def _dag_of(value: object) -> DAG | None:
    """Return the DAG that a name of a DAG file stands for, or that its task is in."""
    found = value if isinstance(value, DAG) else getattr(value, "dag", None)
    return found if isinstance(found, DAG) else None


def waiting(dag: DAG) -> set[str]:
    """Return the tasks of the vault's queue that would be queued although the check has failed.

    Whatever else fails or is skipped: a task that runs after successes only is upstream_failed behind it.
    """
    stopped, tasks = {CHECK}, dag.task_dict
    for _ in tasks:
        stopped |= {
            name
            for name, task in tasks.items()
            if task.trigger_rule in ("all_success", "none_failed", "all_done_setup_success")
            and task.upstream_task_ids & stopped
        }
    return {name for name, task in tasks.items() if task.queue == "vault"} - stopped


@pytest.mark.parametrize("name", NAMES)
def test_no_task_of_the_vaults_queue_waits_where_no_worker_serves_it(load: Load, name: str) -> None:
    """The check runs on another queue, and by itself it fails the run.

    Where there is a worker, it changes nothing: a task waits for what it waits for without, and by its rule.
    """
    without, dag = load(name), load(name, "CeleryExecutor", queue="vault")

    assert waiting(dag) == set()
    assert (CHECK in dag.task_dict) == (name != BACKFILLS)
    for task in without.tasks:
        here = dag.get_task(task.task_id)
        [gate] = [dag.get_task(id_) for id_ in here.upstream_task_ids if id_.startswith("before_")] or [here]
        assert gate.upstream_task_ids - {CHECK} == task.upstream_task_ids, task.task_id
        assert gate.trigger_rule == task.trigger_rule, task.task_id
    if name != BACKFILLS:
        check = dag.get_task(CHECK)
        assert (check.queue, check.executor, check.upstream_task_ids) == ("default", None, set())
        assert any(CHECK in leaf.get_flat_relative_ids(upstream=True) for leaf in dag.leaves)


@pytest.mark.parametrize("name", sorted({*NAMES} - {BACKFILLS}))
def test_a_worker_that_goes_away_in_the_middle_of_a_run_is_looked_for_again(load: Load, name: str) -> None:
    """By a task that runs if those failed that a run ends with, in no worker's way, and fails the run."""
    dag = load(name, "CeleryExecutor", queue="vault")
    again: Any = dag.get_task(AGAIN)
    assert (again.queue, again.trigger_rule, again.downstream_task_ids) == ("default", "one_failed", set())
    assert {"build_report"} & dag.task_dict.keys() < again.upstream_task_ids == set(again.last_tasks)


@pytest.mark.parametrize(
    ("executors", "keys"),
    [
        ("CeleryExecutor", {}),  # each worker has the vault
        ("LocalExecutor", {"queue": "vault"}),  # which ignores queues
        ("LocalExecutor,EdgeExecutor", {"queue": "vault", "executor": "EdgeExecutor"}),
    ],
)
def test_only_celery_is_asked_and_only_about_a_queue(
    load: Load, executors: str, keys: dict[str, str]
) -> None:
    """Nothing else can be asked."""
    assert CHECK not in load("supim_daily", executors, **keys).task_dict


def test_only_tasks_of_the_vault_are_given_to_its_executor(load: Load) -> None:
    """The others run where Airflow runs what names none."""
    weekly = load("vm_weekly", "LocalExecutor,CeleryExecutor", **CELERY)
    backfills = load(BACKFILLS, "LocalExecutor,CeleryExecutor", **CELERY)

    elsewhere = {task.task_id for task in weekly.tasks if (task.queue, task.executor) == ("default", None)}
    gates = {name for name in weekly.task_dict if name.startswith("before_")}
    assert elsewhere - gates == {CHECK, AGAIN, "send_start", "send_result"}
    assert {task.executor for task in weekly.tasks} == {None, "CeleryExecutor"}
    assert {(task.queue, task.executor) for task in backfills.tasks} == {("default", None)}
