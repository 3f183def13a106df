"""The DAGs at work, each on the worker's one Airflow."""

import pytest

from inpe_backup.backfill_report import WATCHER
from tests.dags import DAG, Daily, wait_for
from tests.dags.weekly_runs import DAG as WEEKLY
from tests.dags.weekly_runs import Weekly
from tests.one_airflow import OneAirflow


@pytest.fixture(scope="module")
def daily(one: OneAirflow) -> Daily:
    """Switch ``supim_daily`` on; all modules share its vault and source, and have days of their own."""
    work = Daily.on(one)
    one.take_over(DAG, WATCHER)
    work.write_site_file()
    return work


@pytest.fixture(scope="module")
def weekly(one: OneAirflow) -> Weekly:
    """Switch ``vm_weekly`` on, with three VMs; all modules share them and the vault."""
    work = Weekly.on(one)
    one.take_over(WEEKLY)
    work.write_site_file()
    return work


@pytest.fixture(autouse=True)
def _repaired(request: pytest.FixtureRequest) -> None:
    """Renew the KVM host before a test if an earlier one broke it."""
    if "weekly" in request.fixturenames:
        weekly: Weekly = request.getfixturevalue("weekly")
        weekly.repair(request.node)


@pytest.fixture
def one_backfill_at_a_time(daily: Daily) -> None:
    """Wait until the last backfill is over: until then Airflow refuses another one of the DAG."""
    wait_for(
        lambda: all(backfill["completed_at"] for backfill in daily.airflow.backfills(DAG)),
        "the last backfill's end",
    )
