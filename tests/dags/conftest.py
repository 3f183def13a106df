"""One institute and one Airflow for all end-to-end tests: starting them takes longer than a run."""

from collections.abc import Iterator

import pytest

from include.vault import Vault
from tests.dags import DAG, Daily
from tests.site import Institute
from tests.site.airflow import LocalAirflow

# How soon Airflow notices that a worker is gone.
SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}


@pytest.fixture(scope="session")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daily]:
    """Give the daily DAG, switched on, with an empty vault and an empty source."""
    root = tmp_path_factory.mktemp("daily")
    with Institute(root / "institute") as institute:
        Vault.create(institute.vault)
        work = Daily(institute, LocalAirflow(root / "airflow", env=institute.airflow_env() | SOON))
        work.write_site_file()
        with work.airflow as airflow:
            airflow.unpause(DAG)
            yield work
