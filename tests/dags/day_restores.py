"""Starts ``supim_restore``: days of the vault of ``supim_daily``, into a local folder or over SSH."""

from pathlib import Path

from tests.dags import Daily, Run

DAG = "supim_restore"


def start(daily: Daily, **form: object) -> Run:
    """Trigger a run with a form's fields."""
    return Run(daily.airflow, daily.institute, daily.airflow.trigger(DAG, conf=form)["dag_run_id"], DAG)


def target(daily: Daily, name: str) -> Path:
    """Make an empty folder to restore into, and return it."""
    folder = daily.institute.root / name
    folder.mkdir()
    return folder
