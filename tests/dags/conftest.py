"""One institute and one Airflow for all end-to-end tests: starting them takes longer than a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vault import Vault
from tests.dags import DAG, Daily, await_
from tests.dags.weekly import DAG as WEEKLY
from tests.dags.weekly import Weekly
from tests.site import Institute
from tests.site.airflow import LocalAirflow

OTHERS = Path(__file__).with_name("others")
"""Other people's DAGs."""

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
        env = institute.airflow_env() | SOON
        work = Daily(institute, LocalAirflow(root / "airflow", env=env, dags_folder=OTHERS))
        work.write_site_file()
        with work.airflow as airflow:
            airflow.unpause(DAG)
            yield work


@pytest.fixture(scope="session")
def weekly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weekly]:
    """Give the weekly DAG, switched on, with three machines and an empty vault."""
    root = tmp_path_factory.mktemp("weekly")
    with Institute(root / "institute", machines=True) as institute:
        Vault.create(institute.vault)
        work = Weekly(institute, LocalAirflow(root / "airflow", env=institute.airflow_env() | SOON))
        work.write_site_file()
        work.make_machines()
        with work.airflow as airflow:
            airflow.unpause(WEEKLY)
            yield work


@pytest.fixture
def one_backfill_at_a_time(daily: Daily) -> None:
    """Wait until the last backfill is over: Airflow refuses a second one of a DAG until then."""
    await_(
        lambda: all(backfill["completed_at"] for backfill in daily.airflow.backfills(DAG)),
        "the last backfill's end",
    )
