"""What the page reads of Airflow's database: the parts of vaults, by the assets' names."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.models import import_all_models
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.taskinstance import TaskInstance
from airflow.models.tasklog import LogTemplate
from airflow.utils.state import DagRunState
from sqlalchemy import create_engine, event, insert, select
from sqlalchemy.orm import Session

from include.status.parts import AcknowledgedPart, Part, PublishedPart
from inpe_backup.assets import status_asset
from inpe_backup.run_note import MARKED, NO_REPORT
from inpe_backup.ui.store import StatusStore, publish_acknowledged, without_report, without_worker
from tests import sample_status

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[Session]:
    """A database that has the tables of assets, their events, runs and tasks."""
    engine = create_engine("sqlite://")
    import_all_models()  # type: ignore[no-untyped-call] # Airflow's
    models = AssetModel, AssetEvent, TaskInstance, DagRun, DagRunNote, LogTemplate
    AssetModel.metadata.create_all(engine, [model.__table__ for model in models])
    with Session(engine) as session:
        yield session
    engine.dispose()


def publish(session: Session, vault: str, key: str, part: Part) -> None:
    """Publish a part as a task does."""
    name = status_asset(key).name
    asset = session.query(AssetModel).filter_by(name=name).one_or_none()
    if asset is None:
        asset = AssetModel(name=name, uri=name)
        session.add(asset)
        session.flush()
    published = PublishedPart(vault=vault, path="/backup/vault", taken=NOW, part=part)
    session.add(AssetEvent(asset_id=asset.id, extra=published.model_dump(mode="json")))
    session.commit()


def test_a_vault_and_its_screenshots_are_found_by_its_id(session: Session) -> None:
    """Though the assets have its name, which people see."""
    screen = sample_status.screen("maq1", NOW)
    publish(session, "a-uuid", "vault", sample_status.rules())
    publish(session, "a-uuid", "screens/maq1", screen)
    store = StatusStore()

    [view] = store.views(session)

    assert (view.vault, *view.screens) == ("a-uuid", "maq1")
    assert store.screen(session, "a-uuid", "maq1") == screen
    assert store.screen(session, "another", "maq1") is None


def test_another_web_server_may_create_the_asset_of_acknowledgements_meanwhile(tmp_path: Path) -> None:
    """Both acknowledgements count."""
    engine = create_engine(f"sqlite:///{tmp_path / 'db'}")
    AssetModel.metadata.create_all(engine, [AssetModel.__table__, AssetEvent.__table__])
    view: Any = SimpleNamespace(vault="a-uuid", path="/backup/vault")

    def acknowledge(session: Session) -> None:
        publish_acknowledged(session, view, AcknowledgedPart(key="0" * 16, by="ana", until=None), NOW)
        session.commit()

    with Session(engine) as ours, Session(engine) as theirs:
        event.listen(ours, "before_flush", lambda *_: acknowledge(theirs), once=True)
        acknowledge(ours)
        assert len(ours.scalars(select(AssetEvent.id)).all()) == 2
        assert len(ours.scalars(select(AssetModel.id)).all()) == 1
    engine.dispose()


def test_assets_have_names_for_people() -> None:
    """No ids in them."""
    assert status_asset("days/2026").name == "backup_status/main/days/2026"


def test_a_run_that_a_person_ended_is_listed_by_its_note(session: Session) -> None:
    """And one whose report couldn't be built; not those that go on, have a report, or are of other DAGs."""
    end = partial(_end, session)
    end(("vm_weekly", "marked", "failed"), report="skipped", note="I ended it.", hours=1)
    end(("vm_weekly", "silent", "success"), report="skipped", hours=2)
    end(("supim_daily", "broken", "failed"), report="failed", hours=3)
    end(("supim_daily", "red", "failed"), report="success", note="1 missing", hours=4)
    end(("supim_daily", "on", "running"), report="skipped", hours=5)
    end(("other", "marked", "failed"), report="skipped", hours=6)
    found = [(run.run, run.good, run.line) for run in without_report(session)]
    assert found == [("broken", False, NO_REPORT), ("silent", True, MARKED), ("marked", False, "I ended it.")]


def _end(session: Session, run: tuple[str, str, str], *, report: str, hours: int, note: str = "") -> None:
    """Insert a run, by DAG, id and state, that ended so many hours from now; and the task of its report."""
    dag, name, state = run
    made = DagRun(dag, name, run_type="manual", state=DagRunState(state))
    made.end_date, made.run_after = NOW + timedelta(hours=hours), NOW
    session.add(made)
    session.flush()
    if note:
        session.execute(insert(DagRunNote).values(dag_run_id=made.id, content=note))
    columns = {"id": uuid4(), "dag_id": dag, "run_id": name, "task_id": "build_report", "map_index": -1}
    session.execute(insert(TaskInstance).values(**columns, state=report, pool="default_pool", pool_slots=1))


def test_the_last_look_for_the_vaults_worker_counts(session: Session) -> None:
    """In any run, at its begin or its end; one that wasn't needed says nothing."""
    looked = partial(_look, session)
    assert without_worker(session) == ""
    looked("supim_daily", "check_worker", "failed", hours=1)
    looked("other", "check_worker", "success", hours=2)
    assert without_worker(session) == "supim_daily"
    looked("vm_weekly", "check_worker", "success", hours=3)
    looked("vm_weekly", "check_worker_again", "skipped", hours=4)
    assert without_worker(session) == ""
    looked("vault_scrub", "check_worker_again", "failed", hours=5)
    assert without_worker(session) == "vault_scrub"


def _look(session: Session, dag: str, task: str, state: str, *, hours: int) -> None:
    """Insert a task as it ended, so many hours from now."""
    columns = {"id": uuid4(), "dag_id": dag, "run_id": "a", "task_id": task, "state": state, "map_index": -1}
    ended = {"end_date": NOW + timedelta(hours=hours), "pool": "default_pool", "pool_slots": 1}
    session.execute(insert(TaskInstance).values(**columns, **ended))
