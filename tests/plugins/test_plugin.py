"""The plugin, loaded by a real Airflow in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

LOOK = """
import json, sys
from datetime import datetime, timezone
from airflow import plugins_manager
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from inpe_backup.timetable import OrdinalDayTimetable

plugins, errors = plugins_manager._get_plugins()
schedule = OrdinalDayTimetable("30 6 * * *", timezone="America/Sao_Paulo", lag_days=2)
dag = DAG("daily", schedule=schedule, start_date=datetime(2026, 9, 27, tzinfo=timezone.utc), catchup=True)
dag.validate()
stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
again = DagSerialization.from_dict(stored)
print(json.dumps({
    "plugins": [plugin.name for plugin in plugins],
    "errors": errors,
    "listeners": [module.__name__ for plugin in plugins for module in plugin.listeners],
    "timetables": list(plugins_manager.get_timetables_plugins()),
    "stored": stored["dag"]["timetable"],
    "summary": again.timetable.summary,
    "first": again.next_dagrun_info(last_automated_run_info=None).partition_key,
    "views": [view["name"] for plugin in plugins for view in plugin.external_views],
    "page": [name for name in sys.modules if name.startswith("inpe_backup.ui")],
    "modules": [name for name in sys.modules if name.split(".")[0] in ("timetable", "run_day", "plugins")],
}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Say what an Airflow with this project's plugins folder and nothing else has loaded."""
    env = {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
    }
    process = subprocess.run(
        [sys.executable, "-c", LOOK], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert process.returncode == 0, process.stderr
    found: dict[str, Any] = json.loads(process.stderr.splitlines()[-1])
    return found


def test_the_plugin_loads_without_an_error(seen: dict[str, Any]) -> None:
    """An error would only show in a log, and the DAG would be gone."""
    assert "inpe_backup" in seen["plugins"]
    assert seen["errors"] == {}


def test_the_plugin_registers_the_timetable_under_one_name(seen: dict[str, Any]) -> None:
    """The name that stored DAGs carry; a second one would be a second class."""
    assert seen["timetables"] == ["inpe_backup.timetable.OrdinalDayTimetable"]


def test_the_plugin_registers_what_sums_runs_up(seen: dict[str, Any]) -> None:
    """The scheduler calls it when a run is over."""
    assert seen["listeners"] == ["inpe_backup.run_note"]


def test_airflow_does_not_run_the_packages_files_as_plugins(seen: dict[str, Any]) -> None:
    """``.airflowignore`` keeps it from importing each file under its bare name."""
    assert seen["modules"] == []


def test_a_dag_is_stored_and_read_back_with_its_schedule(seen: dict[str, Any]) -> None:
    """As the scheduler and the API do, which never see the DAG file."""
    assert seen["stored"]["__type"] == "inpe_backup.timetable.OrdinalDayTimetable"
    assert seen["stored"]["__var"]["lag_days"] == 2
    assert seen["summary"] == "30 6 * * * (day - 2)"
    assert seen["first"] == "2026-268"


def test_the_page_is_announced_and_only_the_web_server_pays_for_it(seen: dict[str, Any]) -> None:
    """Every Airflow process imports the plugin file, each task too."""
    assert seen["views"] == ["Backups"]
    assert seen["page"] == []
