"""What the daily DAG costs Airflow: its import, and a run with nothing to do."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.row import Row
from include.ordinal_day import OrdinalDay
from include.vault.vault import Vault
from tests.site import Institute, supim
from tests.site.airflow import LocalAirflow
from tests.site.airflow_home import PROJECT

EMPTY_DAGS = Path(__file__).with_name("empty_dag")
DAY = OrdinalDay(2026, 268)
IMPORT_LIMIT_S = 0.05

# Imports what the DAG file and its operators use of Airflow and its providers, then times the DAG file.
_IMPORTS = """
from time import perf_counter
import airflow.exceptions, airflow.sdk.exceptions, airflow.timetables.trigger
import airflow.providers.smtp.hooks.smtp, airflow.providers.smtp.operators.smtp
from airflow.sdk import DAG, BaseOperator, Context, Param, task_group
from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
began = perf_counter()
import runpy
runpy.run_path("dags/supim_daily.py")
print(perf_counter() - began)
"""


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure the import, then the run."""
    took = statistics.median([_import_s(scratch) for _ in range(1 + rounds)][1:])
    yield Row(
        "supim_daily.py imported, beyond what it uses of Airflow", took, "the limit", IMPORT_LIMIT_S, 1.0
    )
    yield _run_row(scratch, rounds)


def _import_s(scratch: Path) -> float:
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",  # DAG processors and workers write bytecode
        "PYTHONPYCACHEPREFIX": str(scratch / "bytecode"),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT / "plugins")]),
        "AIRFLOW_HOME": str(scratch / "import"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS],
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def _run_row(scratch: Path, rounds: int) -> Row:
    with Institute(scratch / "institute") as institute:
        Vault.create(institute.vault)
        supim.write_day(institute.source, DAY)
        environment = institute.airflow_env()
        with LocalAirflow(scratch / "airflow", env=environment, dags_folder=EMPTY_DAGS) as airflow:
            for dag in ("supim_daily", "empty"):
                airflow.unpause(dag)
            _run_s(airflow, "supim_daily")  # copies the day; from now on there is nothing to do
            pairs = [(_run_s(airflow, "supim_daily"), _run_s(airflow, "empty")) for _ in range(1 + rounds)][
                1:
            ]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row("a daily run with nothing to do", ours, "a DAG of as many empty tasks", theirs, 1.2)


def _run_s(airflow: LocalAirflow, dag: str) -> float:
    run = airflow.trigger(dag, partition_key=str(DAY))
    done = airflow.wait_for_run(dag, run["dag_run_id"])
    if done["state"] != "success":
        raise RuntimeError(f"Nothing was measured: {dag} ended as {done['state']}.")
    return (_instant(done["end_date"]) - _instant(done["start_date"])).total_seconds()


def _instant(written: str) -> datetime:
    return datetime.fromisoformat(written)
