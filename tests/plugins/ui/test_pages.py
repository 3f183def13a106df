"""A run's report on the page, read from Airflow's database."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.tasklog import LogTemplate
from airflow.models.xcom import XComModel
from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session

from include.report import Report
from include.report.shortening import LARGEST_BYTES
from tests.include.report.sample_items import copied, report, safe

RUN = {"dag_id": "supim_daily", "run_id": "manual__2026-11-28T03:00:00+00:00"}


@pytest.fixture
def session() -> Iterator[Session]:
    """A database that has the tables of runs and of what their tasks left."""
    engine = create_engine("sqlite://")
    XComModel.metadata.create_all(engine, [LogTemplate.__table__, DagRun.__table__, XComModel.__table__])
    with Session(engine) as session:
        yield session
    engine.dispose()


def leave(session: Session, given: Report) -> None:
    """Leave a report as the task that built it does."""
    now = datetime.now(UTC)
    run = DagRun(dag_id=RUN["dag_id"], run_id=RUN["run_id"], run_type="manual", run_after=now, queued_at=now)
    session.add(run)
    session.flush()
    left = {"task_id": "build_report", "map_index": -1, "key": "return_value", "dag_run_id": 1, **RUN}
    session.execute(insert(XComModel).values(value=given.model_dump(mode="json"), **left))


@pytest.mark.filterwarnings("ignore:Using `httpx` with")  # Airflow's server imports a test client
def test_a_runs_report_is_whole_on_the_page(session: Session) -> None:
    """Its mail is shortened: what comes last in a long list is only here. No map is a path."""
    from inpe_backup.ui.pages import report_page  # noqa: PLC0415 - it imports Airflow's server

    days = [safe(f"2026-{number:03}", reason="Why. " * 90) for number in range(1, 200)]
    map_ = {"picture": "/backup/vault/supim/2026/268.png", "picture_caption": "TEC of 2026-268."}
    leave(session, report(copied().model_copy(update=map_), *days))
    page = bytes(report_page(session, dag_id=RUN["dag_id"], run=RUN["run_id"]).body)
    assert len(page) > LARGEST_BYTES
    assert [day.name for day in days if day.name.encode() not in page] == []
    assert b"TEC of 2026-268. The map is in the vault, beside the day: 268.png." in page
    assert b"/backup/vault/supim" not in page
    assert b"whole report" not in page
