"""A worker that goes away in the middle of a run is mailed, once the run's last tasks were given up."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.errors import NoWorkerError
from include.report.alarm import Alarm
from inpe_backup.operators.vault import check_worker, check_worker_again
from inpe_backup.operators.vault.check_worker_again import CheckWorkerAgainOperator, went_away
from inpe_backup.xcom import FAILURE

LAST = ["build_report", "refresh_status"]
OTHER = {"celery@airflow": {"default"}}


@pytest.fixture
def mailed(monkeypatch: pytest.MonkeyPatch) -> list[Alarm]:
    """Let only another worker answer, and return the alarms that are mailed."""
    alarms: list[Alarm] = []
    monkeypatch.setattr(check_worker, "queues", lambda _answers_s: OTHER)
    monkeypatch.setattr(check_worker_again, "mail_alarms", lambda _context, _log, found: alarms.extend(found))
    return alarms


def look(reason: str = "", **states: str) -> None:
    """Run the task in a run whose last tasks are in such states, and left such a reason."""
    ti = SimpleNamespace(
        dag_id="supim_daily",
        run_id="a-run",
        get_task_states=lambda _dag, task_ids, run_ids: {
            run_ids[0]: {each: states[each] for each in task_ids}
        },
        xcom_pull=lambda task_ids, key: (key == FAILURE and task_ids and reason) or None,
    )
    context: Any = {"ti": ti}
    CheckWorkerAgainOperator(task_id="check_worker_again", last_tasks=LAST).work(context)


def test_a_report_that_was_given_up_is_mailed_and_fails_the_task(mailed: list[Alarm]) -> None:
    """With the alarm that ends when a later run finds a worker."""
    with pytest.raises(NoWorkerError, match='"Build report" waited for it'):
        look(build_report="failed", refresh_status="running")
    assert [alarm.title.partition(" · ")[0] for alarm in mailed] == ["WORKER GONE"]


@pytest.mark.parametrize("state", ["upstream_failed", "success"])
def test_a_report_that_was_never_to_run_or_is_there_is_no_reason(mailed: list[Alarm], state: str) -> None:
    """``Check worker`` has mailed the first."""
    with pytest.raises(AirflowSkipException):
        look(build_report=state, refresh_status="upstream_failed")
    assert mailed == []


def test_a_task_that_ran_and_failed_has_said_why(mailed: list[Alarm]) -> None:
    """That is no worker's fault."""
    with pytest.raises(AirflowSkipException):
        look("A reason", build_report="failed", refresh_status="failed")
    assert mailed == []


def test_the_message_names_what_was_given_up_and_what_to_do() -> None:
    """By the labels of the web UI."""
    assert went_away("vault", ["build_report"], OTHER) == (
        'The vault\'s worker went away in the middle of this run: "Build report" waited for it in the queue '
        "vault until Airflow gave up, so there is no report. Start it on the vault's machine: docker compose "
        "up --detach worker-vault. Workers that answered: celery@airflow (default)."
    )


def test_a_worker_that_is_back_is_named() -> None:
    """Nothing is to be started then."""
    reason = went_away("vault", LAST, OTHER | {"celery@vault": {"vault"}})
    assert '"Build report" and "Update status page" waited' in reason
    assert reason.endswith("Now it is served by celery@vault.")
