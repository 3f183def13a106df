"""Heartbeats in real runs: a monitor hears each run."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from include.ordinal_day import OrdinalDay
from include.remote.heartbeat import Heartbeat, Signal
from inpe_backup.run_note import MARKED
from tests.dags import DAG, GREEN, RED, Daily, Run, wait_for
from tests.one_airflow import OneAirflow
from tests.site import ZONE, supim
from tests.site.monitor import Monitor

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.slow]

CHECK = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@pytest.fixture(scope="module")
def daily(one: OneAirflow) -> Daily:
    """Have a source and a vault apart: the newest day due is that of the schedule's tests, too."""
    return Daily.apart(one, "heartbeats")


@pytest.fixture
def monitor(daily: Daily) -> Iterator[Monitor]:
    """A monitor of ``supim_daily``; the day that is due is half there."""
    supim.half_write(daily.write(str(OrdinalDay.of(datetime.now(ZONE)) - 2)))
    connection = {"connection_id": "heartbeat", "conn_type": "http", "password": CHECK}
    with Monitor() as running:
        daily.airflow.api("POST", "/connections", connection | {"host": running.url})
        with daily.site_file(heartbeats={"supim_daily": "heartbeat"}, datasets={"supim": {"timeout_s": 12}}):
            _read_dag_file(daily, tasks=True)
            yield running
    daily.airflow.api("DELETE", "/connections/heartbeat")
    _read_dag_file(daily, tasks=False)


def _read_dag_file(daily: Daily, *, tasks: bool) -> None:
    """Make Airflow read the DAG file, and wait until the DAG has the heartbeats' tasks, or hasn't."""
    daily.read_dag_file()

    def read() -> bool:
        found = daily.airflow.api("GET", f"/dags/{DAG}/tasks")["tasks"]
        return tasks == ("send_result" in [task["task_id"] for task in found])

    wait_for(read, "the DAG as the site file has it")


def test_a_monitor_hears_each_run(daily: Daily, monitor: Monitor) -> None:
    """A run's failure, and its success once it's cleared, with one id; nothing of dry runs."""
    run = daily.start()
    assert run.end() == RED

    daily.write_again(run.day)
    run.clear(f"copy_day {run.day}", "send_start")
    assert run.end() == GREEN
    dry = daily.run(dry_run=True)
    assert dry.end() == GREEN

    heard = {
        _rid(one): [kept for kept in monitor.requests if kept.query["rid"] == _rid(one)] for one in (run, dry)
    }
    kept = heard[_rid(run)]  # the schedule's own run is heard, too
    assert [one.path for one in kept] == [f"/{CHECK}{signal}" for signal in ("/start", "/fail", "/start", "")]
    assert kept[3].body == run.note
    assert f"{run.day} FAILED" in kept[1].body
    assert heard[_rid(dry)] == []


def test_a_run_that_a_person_fails_is_a_failure(daily: Daily, monitor: Monitor) -> None:
    """Airflow would end it as a success, because it waits for the task that sends the heartbeat.

    *Clear only failed tasks* also runs the tasks that were skipped then.
    """
    run = daily.start()
    run.reach("choose_days", "running", GREEN)
    run.stop()
    assert (run.end(), run.note) == (RED, MARKED), run.states()
    assert _last(monitor, run) == f"/{CHECK}/fail"
    daily.write_again(run.day)
    run.clear_failed()
    assert run.end() == GREEN, run.states()
    assert _last(monitor, run) == f"/{CHECK}", run.log("send_result")


def _last(monitor: Monitor, run: Run) -> str:
    return [one.path for one in monitor.requests if one.query["rid"] == _rid(run)][-1]


def _rid(run: Run) -> str:
    return str(Heartbeat(Signal.START, f"{DAG} {run.run_id}").rid)
