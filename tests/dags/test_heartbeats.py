"""Heartbeats and the deadline in real runs: a monitor hears each run, and a run that waits long is mailed."""

from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage

import pytest

from include.ordinal_day import OrdinalDay
from include.remote.heartbeat import Heartbeat, Signal
from tests.dags import DAG, GREEN, RED, ZONE, Daily, Run, text_of, wait_for
from tests.site import supim
from tests.site.monitor import Monitor

pytestmark = [pytest.mark.worker_group("days"), pytest.mark.slow]

CHECK = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
DEADLINE_S = 6


@pytest.fixture
def monitor(daily: Daily) -> Iterator[Monitor]:
    """A monitor of ``supim_daily``, and a deadline; the day that is due is half there."""
    supim.half_write(daily.write(str(OrdinalDay.of(datetime.now(ZONE)) - 2)))
    settings = {"timeout_s": 12, "run_deadline_s": DEADLINE_S}
    connection = {"connection_id": "heartbeat", "conn_type": "http", "password": CHECK}
    with Monitor() as running:
        daily.airflow.api("POST", "/connections", connection | {"host": running.url})
        with daily.site_file(heartbeats={"supim_daily": "heartbeat"}, datasets={"supim": settings}):
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


def test_a_monitor_hears_each_run_and_a_late_one_is_mailed(daily: Daily, monitor: Monitor) -> None:
    """A run's failure, and its success once it's cleared, with one id; nothing of dry runs."""
    run = daily.start()
    late = wait_for(lambda: _mailed_late(daily, run), "the mail about a late run")
    assert f"still running, {DEADLINE_S}.0 s after it was queued" in " ".join(text_of(late, "html").split())
    assert run.end() == RED

    day = str(OrdinalDay.of(datetime.now(ZONE)) - 2)
    daily.write_again(day)
    run.clear("copy_day " + day, "send_start")
    assert run.end() == GREEN
    dry = daily.run(dry_run=True)
    assert dry.end() == GREEN

    heard = {
        _rid(one): [kept for kept in monitor.requests if kept.query["rid"] == _rid(one)] for one in (run, dry)
    }
    kept = heard[_rid(run)]  # the schedule's own run is heard, too
    assert [one.path for one in kept] == [f"/{CHECK}{signal}" for signal in ("/start", "/fail", "/start", "")]
    assert kept[3].body == run.note
    assert f"{day} FAILED" in kept[1].body
    assert heard[_rid(dry)] == []


def _rid(run: Run) -> str:
    return str(Heartbeat(Signal.START, f"{DAG} {run.run_id}").rid)


def _mailed_late(daily: Daily, run: Run) -> EmailMessage | None:
    mails = [mail for mail in daily.institute.mail.mails() if "LATE" in str(mail["Subject"])]
    return next((mail for mail in mails if run.run_id in text_of(mail, "html")), None)
