"""The plugin, loaded by a real Airflow in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]

LOAD = """
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
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what an Airflow with only this project's plugins folder prints: last, what it has loaded."""
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
    env = {
        "PYTHONWARNINGS": compose["x-environment"]["PYTHONWARNINGS"],
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
    }
    process = subprocess.run(
        [sys.executable, "-c", LOAD], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert process.returncode == 0, process.stderr
    return process.stdout + process.stderr


@pytest.fixture(scope="module")
def loaded(printed: str) -> dict[str, Any]:
    """Return what that Airflow has loaded."""
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def test_the_plugin_loads_without_an_error(loaded: dict[str, Any]) -> None:
    """An error would only show in a log, and DAGs would be missing."""
    assert "inpe_backup" in loaded["plugins"]
    assert loaded["errors"] == {}


def test_the_plugin_registers_each_timetable_under_one_name(loaded: dict[str, Any]) -> None:
    """Serialized DAGs contain this name; a second name would be a second class."""
    assert loaded["timetables"] == [
        "inpe_backup.timetable.OrdinalDayTimetable",
        "inpe_backup.cron_timetable.ZonedCronTimetable",
    ]


def test_the_plugin_registers_the_listeners_for_runs(loaded: dict[str, Any]) -> None:
    """The scheduler calls them at the start and at the end of a run."""
    assert loaded["listeners"] == [
        "inpe_backup.run_note",
        "inpe_backup.run_partition",
        "inpe_backup.row_labels",
        "inpe_backup.backfill_report",
        "inpe_backup.report_again",
        "inpe_backup.marked_failed",
    ]


def test_airflow_doesnt_load_the_packages_files_as_plugins(loaded: dict[str, Any]) -> None:
    """``.airflowignore`` keeps it from importing each file under its bare name."""
    assert loaded["modules"] == []


def test_a_dag_is_stored_and_read_back_with_its_schedule(loaded: dict[str, Any]) -> None:
    """As by the scheduler and the API server, which never read the DAG file."""
    assert loaded["stored"]["__type"] == "inpe_backup.timetable.OrdinalDayTimetable"
    assert loaded["stored"]["__var"]["lag_days"] == 2
    assert loaded["summary"] == "30 6 * * * America/Sao_Paulo (day - 2)"
    assert loaded["first"] == "2026-268"


def test_the_status_page_is_registered_but_loaded_only_by_the_api_server(loaded: dict[str, Any]) -> None:
    """Every Airflow process, each task too, imports the plugin file."""
    assert loaded["views"] == ["Backups"]
    assert loaded["page"] == []


def test_the_logs_have_no_warning_of_the_ignore_file(printed: str) -> None:
    """With the filter that compose and the demo set; Airflow warns of itself, in each task's log."""
    assert "GitWildMatchPattern" not in printed
