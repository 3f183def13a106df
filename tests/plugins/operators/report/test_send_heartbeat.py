"""A heartbeat reports what becomes of the run, to a real server; a monitor in trouble is only a warning."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param

from include.config import site_file
from include.config.heartbeats import HeartbeatsSection
from inpe_backup.dag_defaults import add_monitoring
from inpe_backup.operators.report.send_heartbeat import SendHeartbeatOperator, address
from tests.site.monitor import Monitor

NOW = datetime(2026, 9, 27, 10, tzinfo=UTC)
DUE = "2026-268"
LINE = f"SUPIM {DUE} OK · 1 copied"
CHECK = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
SITE = site_file.load(site_file.DEFAULT_PATH)
GOOD = {"check_result": "success", "email_report": "success", "end_backup_0": "success"}


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Monitor]:
    """A monitor, and the connection of a check there."""
    with Monitor() as running:
        connection = {"conn_type": "http", "host": running.url, "password": CHECK}
        monkeypatch.setenv("AIRFLOW_CONN_CHECK", json.dumps(connection))
        yield running


def made(kind: str = "healthchecks", *, page: bool = False) -> DAG:
    """Return a DAG with heartbeats; two leaves and a teardown decide about its runs, and no page."""
    heartbeats = HeartbeatsSection.model_validate({"kind": kind, "vm_weekly": "check"})
    params = {"dry_run": Param(default=False), "vm": Param(None)}
    with DAG("vm_weekly", schedule=None, params=params) as dag:
        work, end = EmptyOperator(task_id="work"), EmptyOperator(task_id="end_backup")
        ends = [EmptyOperator(task_id=one) for one in ("check_result", "email_report")]
        work >> end.as_teardown(on_failure_fail_dagrun=True) >> ends
        if page:
            work >> EmptyOperator(task_id="refresh_status").as_teardown()
    add_monitoring(dag, SITE.model_copy(update={"heartbeats": heartbeats}))
    return dag


def send(task: str, states: dict[str, str] | None = None, note: str = LINE, **run: Any) -> None:  # noqa: ANN401 - of runs
    """Run a heartbeat's task in a run with these states."""
    dag = run.pop("dag", None) or made()
    its = {"run_id": "r", "run_type": "scheduled", "run_after": NOW, "start_date": NOW} | run
    ti = SimpleNamespace(
        get_task_states=lambda **_: {"r": states or GOOD}, xcom_pull=lambda *_, **__: note, xcom_push=None
    )
    operator: Any = dag.get_task(task)
    operator.execute(
        {
            "dag": dag,
            "dag_run": SimpleNamespace(**its),
            "ti": ti,
            "params": dag.params.dump() | run.get("params", {}),
            "partition_key": run.get("key"),
        }
    )


def test_the_start_and_the_result_of_a_run_are_reported(monitor: Monitor) -> None:
    """The line of the result is that of the mail's subject."""
    send("send_start")
    send("send_result")
    assert monitor.paths == [f"/{CHECK}/start", f"/{CHECK}"]
    assert monitor.requests[1].body == LINE
    assert monitor.requests[0].query == monitor.requests[1].query


@pytest.mark.parametrize(
    ("states", "note", "line"),
    [
        ({"check_result": "failed"}, "SUPIM FAILED", "SUPIM FAILED"),
        (
            {"check_result": "upstream_failed"},
            "of an earlier try",
            "No report was built: check the tasks' logs",
        ),
        ({"email_report": "failed"}, LINE, f"{LINE} · the mail could not be sent"),
        ({"end_backup_0": "failed"}, LINE, LINE),
    ],
)
def test_a_run_that_airflow_fails_is_reported_failed(
    monitor: Monitor, states: dict[str, str], note: str, line: str
) -> None:
    """By its leaves and its teardowns; where no mail can go out, this is the only message."""
    send("send_result", GOOD | states, note)
    [kept] = monitor.requests
    assert (kept.path, kept.body) == (f"/{CHECK}/fail", line)


def test_a_task_that_cant_fail_the_run_doesnt_fail_the_heartbeat(monitor: Monitor) -> None:
    """Such as the one that refreshes the page; the result doesn't wait for it either."""
    dag = made(page=True)
    send("send_result", GOOD | {"refresh_status": "failed"}, dag=dag)
    [kept] = monitor.requests
    assert kept.path == f"/{CHECK}"
    assert "refresh_status" not in dag.get_task("send_result").upstream_task_ids


@pytest.mark.parametrize(
    "run",
    [
        {"run_type": "backfill"},
        {"run_type": "manual", "params": {"dry_run": True}},
        {"run_type": "manual", "params": {"vm": "maq1"}},
        {"run_type": "manual", "key": "2026-100"},
    ],
)
def test_a_run_that_does_something_else_is_not_reported(monitor: Monitor, run: dict[str, Any]) -> None:
    """It would hide that the scheduled one is missing, or alarm about a typing error."""
    send("send_start", **run)
    send("send_result", **run)
    assert monitor.requests == []


@pytest.mark.parametrize("run", [{"run_type": "manual"}, {"run_type": "manual", "key": DUE}])
def test_a_run_by_hand_that_does_the_same_is_reported(monitor: Monitor, run: dict[str, Any]) -> None:
    """As after a repair."""
    send("send_result", **run)
    assert monitor.paths == [f"/{CHECK}"]


def test_a_mail_that_isnt_to_be_sent_is_no_problem(monitor: Monitor) -> None:
    """A run that changed nothing skips it, as ``mail.when`` says."""
    send("send_result", GOOD | {"email_report": "skipped"})
    [kept] = monitor.requests
    assert (kept.path, kept.body) == (f"/{CHECK}", LINE)


def test_uptime_kuma_hears_of_results_only(monitor: Monitor) -> None:
    """It has no start."""
    for task in ("send_start", "send_result"):
        send(task, dag=made("uptime_kuma"))
    [kept] = monitor.requests
    assert (kept.query["status"], kept.query["msg"]) == ("up", LINE)


@pytest.mark.parametrize("broken", ["answers", "connection"])
def test_a_heartbeat_that_isnt_taken_is_a_warning(
    monitor: Monitor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """It fails no task, and the log doesn't show the address."""
    if broken == "answers":
        monitor.answers = [404]
    else:
        monkeypatch.setenv("AIRFLOW_CONN_CHECK", json.dumps({"host": f"ftp://x/{CHECK}"}))
    send("send_result")
    log = capsys.readouterr().out
    assert "The monitor didn't accept the heartbeat of check: it" in log
    assert CHECK not in log


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"host": "https://hc-ping.com", "password": CHECK}, f"https://hc-ping.com/{CHECK}"),
        ({"host": "hc-ping.com", "password": f"/key/{CHECK}/"}, f"https://hc-ping.com/key/{CHECK}"),
        (
            {"host": "10.0.0.9", "schema": "http", "port": 3001, "password": "api/push/x"},
            "http://10.0.0.9:3001/api/push/x",
        ),
        ({"host": f"https://hc.example/ping/{CHECK}"}, f"https://hc.example/ping/{CHECK}"),
    ],
)
def test_the_address_is_in_the_connection(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], url: str
) -> None:
    """The secret in the password, which Airflow encrypts."""
    monkeypatch.setenv("AIRFLOW_CONN_CHECK", json.dumps({"conn_type": "http", **connection}))
    assert address("check") == url


def test_heartbeats_decide_nothing_about_a_run() -> None:
    """Both are teardowns that don't fail it; without a connection they aren't there."""
    dag = made()
    for task in ("send_start", "send_result"):
        heartbeat: Any = dag.get_task(task)
        assert isinstance(heartbeat, SendHeartbeatOperator)
        assert (heartbeat.is_teardown, heartbeat.on_failure_fail_dagrun) == (True, False)
    assert dag.get_task("send_result").upstream_task_ids == {
        "send_start",
        *(key.removesuffix("_0") for key in GOOD),
    }
    with DAG("supim_daily", schedule=None) as silent:
        add_monitoring(silent, SITE)
    assert silent.tasks == []
