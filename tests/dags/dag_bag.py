"""All DAG files, as a real Airflow in a process of its own loads them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.site.airflow_home import PROJECT

LOAD = """
import json, os, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

touched = []

def watch(event, arguments):
    if event in ("subprocess.Popen", "os.system", "socket.connect", "sqlite3.connect"):
        touched.append(f"{event} {arguments[0]}")
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path, flags = os.path.abspath(os.fsdecode(arguments[0])), arguments[2]
        if flags & (os.O_WRONLY | os.O_RDWR) or not path.startswith((sys.prefix, sys.base_prefix)):
            touched.append(f"open {path}")

def described(task):
    group, mapped = task.task_group, task.is_mapped or task.get_closest_mapped_task_group()
    return {
        "retries": task.retries,
        "policy": type(task.retry_policy).__name__,
        "rule": task.trigger_rule,
        "decides": not task.is_teardown or task.on_failure_fail_dagrun,
        "down": sorted(task.downstream_task_ids),
        "shown": task.task_display_name,
        "which": task.map_index_template if mapped else "the only one",
        "group": [group.group_display_name, group.tooltip] if group.node_id else None,
    }

sys.addaudithook(watch)
bag = DagBag(sys.argv[1])
opened, touched = list(touched), []
print(json.dumps({
    "errors": bag.import_errors,
    "touched": opened,
    "dags": {
        name: {
            "file": dag.fileloc,
            "doc": dag.doc_md,
            "tags": sorted(dag.tags),
            "shown": dag.dag_display_name,
            "owners": dag.owner.split(", "),
            "links": dag.owner_links,
            "form": {name: dag.params.get_param(name).dump() for name in dag.params},
            "schedule": getattr(dag.timetable, "summary", None),
            "catchup": dag.catchup,
            "timeout": dag.dagrun_timeout,
            "deadline": bool(dag.deadline),
            "stored": len(json.dumps(DagSerialization.to_dict(dag))),
            "tasks": {task.task_id: described(task) for task in dag.tasks},
        }
        for name, dag in bag.dags.items()
    },
}), file=sys.stderr)
"""


def load(home: Path, site_file: Path | None = None) -> dict[str, Any]:
    """Load all DAG files in a new Airflow home, and return what was loaded, opened and refused."""
    env = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.environ["PATH"],
        **({"INPE_BACKUP_SITE": str(site_file)} if site_file else {}),
    }
    command = [sys.executable, "-c", LOAD, str(PROJECT / "dags")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return found
