"""What a backfill's runs have left, whatever became of them; which runs leave their mail to its report."""

from types import SimpleNamespace
from typing import Any

import pytest

from include.report import Report, overall, render_text
from include.results.states import State
from inpe_backup import backfill_report
from inpe_backup.backfill_report import BACKFILL, RUNS, WATCHER, is_watched, watching_run
from inpe_backup.operators.report.build_backfill_report import BuildBackfillReportOperator, backfill_runs
from inpe_backup.operators.report.watch_backfill import WatchBackfillOperator
from tests.include.report.daily_runs import NOW
from tests.include.report.sample_items import copied, report

DAY = "2026-001"
KEPT = report(copied(DAY, own=True), day=DAY).model_dump(mode="json")


class Airflow:
    """What a task asks Airflow: states of runs and tasks, by the run's id, and what tasks left.

    Args:
        runs: the states of the runs that there are.
        tasks: the states of their tasks.
        left: what each task left.
    """

    log_url = "http://airflow/dags/x/runs/y/tasks/z"

    def __init__(
        self, runs: dict[str, str], tasks: dict[str, dict[str, str | None]], left: object = KEPT
    ) -> None:
        self._runs, self._tasks, self._left = runs, tasks, left

    def xcom_pull(self, *_: object, **__: object) -> object:
        """Return what a task left, also one that was cleared since."""
        return self._left

    def get_dr_count(self, *, run_ids: list[str], states: list[str], **_: object) -> int:
        """Return how many of some runs are in these states."""
        return sum(self._runs.get(run_id) in states for run_id in run_ids)

    def get_dagrun_state(self, _: str, run_id: str) -> str:
        """Return the state of a run; a run that there isn't is an error."""
        return self._runs[run_id]

    def get_task_states(self, *, run_ids: list[str], **_: object) -> dict[str, dict[str, str | None]]:
        """Return the states of the tasks of those runs that there are."""
        return {run_id: self._tasks[run_id] for run_id in run_ids if run_id in self._tasks}


def context_of(airflow: Airflow) -> Any:  # noqa: ANN401 - Airflow's
    """Return the context of a task that watches a backfill of one run."""
    run = SimpleNamespace(conf={RUNS: {DAY: "r"}}, start_date=NOW, run_after=NOW, triggering_user_name=None)
    return {"dag_run": run, "ti": airflow}


def built(airflow: Airflow) -> Report:
    """Return the report that is built at the end of the watch."""
    work = BuildBackfillReportOperator(task_id="build_report").work
    return Report.model_validate(work(context_of(airflow)))


def test_a_run_that_somebody_deleted_loses_no_other_day() -> None:
    """It is in the report as one that left none."""
    given = built(Airflow({}, {}))
    assert overall(given) is State.FAILED
    assert "was stopped or deleted" in " ".join(render_text(given).split())


@pytest.mark.parametrize("state", ["failed", "skipped", None])
def test_a_report_from_before_a_run_was_repeated_doesnt_count(state: str | None) -> None:
    """Airflow keeps what a task left until it starts again; this run was stopped before that."""
    assert overall(built(Airflow({"r": "failed"}, {"r": {"build_report": state}}))) is State.FAILED


def test_a_report_of_another_version_loses_no_other_day() -> None:
    """It is in the report as one that can't be read."""
    for left, state in ((KEPT, State.PASSED), ({"kind": "days"}, State.FAILED)):
        airflow = Airflow({"r": "success"}, {"r": {"build_report": "success"}}, left)
        assert overall(built(airflow)) is state


def test_where_the_watch_ends_before_the_backfill_the_report_promises_no_other_mail() -> None:
    """As where Airflow's triggerer was away: from then on, each run sends its own."""
    airflow = Airflow({"r": "running"}, {"r": {}})
    assert "Each run that ends from now on sends its own mail." in built(airflow).needs_action[0]
    stuck = backfill_runs(context_of(airflow), watched=True).report()
    assert "Another mail comes when it ends." in stuck.needs_action[0]


def test_the_end_is_waited_for_even_if_it_isnt_known_how_a_stuck_backfill_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its mail is only missing."""
    waits: list[float | None] = []
    monkeypatch.setattr(WatchBackfillOperator, "_wait", lambda _, __, stuck_s: waits.append(stuck_s))
    context = context_of(Airflow({"r": "running"}, {}))
    for question in ("get_dr_count", "xcom_pull"):
        monkeypatch.setattr(context["ti"], question, None)
    WatchBackfillOperator(task_id="watch_backfill").resume(context, "stuck")
    assert waits == [None]


@pytest.mark.parametrize(
    ("run", "watch", "watched"),
    [
        ("running", "deferred", True),
        ("queued", None, True),
        ("running", "failed", False),  # its report is being built, without what ends now
        ("running", "success", False),  # the same: somebody cleared a run meanwhile
        ("success", "success", False),
        ("failed", None, False),
    ],
)
def test_a_run_leaves_its_mail_to_the_report_only_while_its_end_is_waited_for(
    run: str, watch: str | None, *, watched: bool
) -> None:
    """Else nobody would hear of it."""
    watcher = watching_run(7)
    airflow = Airflow({watcher: run}, {watcher: {backfill_report.WATCH: watch}})
    its = SimpleNamespace(run_type="backfill", conf={BACKFILL: 7})
    assert is_watched({"dag_run": its, "ti": airflow}) is watched
    assert not is_watched({"dag_run": its, "ti": Airflow({}, {})}), WATCHER
