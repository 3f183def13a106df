"""The restores' DAG at work: days of the daily DAG's vault, brought back to a folder here or behind SSH."""

from pathlib import Path

from tests.dags import Daily, Run

DAG = "restore_day"


def start(daily: Daily, **form: object) -> Run:
    """Trigger a run with what was filled in."""
    return Run(daily.airflow, daily.institute, daily.airflow.trigger(DAG, conf=form)["dag_run_id"], DAG)


def target(daily: Daily, name: str) -> Path:
    """Give a folder to restore into; made empty."""
    folder = daily.institute.root / name
    folder.mkdir()
    return folder
