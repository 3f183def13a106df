"""A run that a person marks as failed ends as failed; test_vm_weekly_trouble.py marks a real one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from airflow.models import import_all_models
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import DagRunState
from sqlalchemy import create_engine, insert, select
from sqlalchemy.orm import Session

from inpe_backup.marked_failed import on_dag_run_failed
from inpe_backup.run_note import MARKED, _text

TASKS = {
    "check_result": "CheckResultOperator",
    "email_report": "EmailReportOperator",
    "send_result": "SendHeartbeatOperator",
}


@pytest.fixture
def session() -> Iterator[Session]:
    """A database with the tasks of two runs, all of them skipped."""
    engine = create_engine("sqlite://")
    import_all_models()  # type: ignore[no-untyped-call]
    DagRun.metadata.create_all(engine)
    with Session(engine) as opened:
        for run in ("marked", "other"):
            for task, operator in TASKS.items():
                its = {"task_id": task, "operator": operator, "dag_id": "vm_weekly", "run_id": run}
                rest = {"id": uuid4(), "map_index": -1, "pool": "p", "pool_slots": 1, "state": "skipped"}
                opened.execute(insert(TaskInstance).values(its | rest))
        yield opened
    engine.dispose()


def _mark(session: Session, state: DagRunState) -> DagRun:
    """Call the listener as Airflow does after a run was marked; it waits for a teardown if it runs."""
    run = DagRun(dag_id="vm_weekly", run_id="marked", run_type="manual", state=state)
    run.start_date = datetime.now(UTC)
    session.add(run)
    session.flush()
    on_dag_run_failed(run)
    session.expire_all()
    return run


def _failed(session: Session) -> list[tuple[str, str]]:
    columns = select(TaskInstance.run_id, TaskInstance.task_id).where(TaskInstance.state == "failed")
    return [(run, task) for run, task in session.execute(columns)]


@pytest.mark.parametrize("state", [DagRunState.RUNNING, DagRunState.QUEUED])
def test_its_result_is_a_failure(session: Session, state: DagRunState) -> None:
    """Or it would end as a success: of the tasks that decide, none has failed."""
    run = _mark(session, state)
    assert _failed(session) == [("marked", "check_result")]
    assert _text(run, session) == MARKED


def test_a_run_that_ended_stays_as_it_is(session: Session) -> None:
    """The scheduler calls the listener, too. A run that waits for nothing ends at once."""
    run = _mark(session, DagRunState.FAILED)
    assert _failed(session) == []
    assert _text(run, session) == MARKED
