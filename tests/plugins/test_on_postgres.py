"""What only PostgreSQL does: the second of two that create a row waits for the first, then is refused.

And after an error, it refuses the rest of the transaction.
"""

import logging
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.api_fastapi.execution_api.datamodels.asset import AssetProfile
from airflow.models import import_all_models
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import Context
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from include.status.parts import AcknowledgedPart
from inpe_backup.assets import BACKUP_STATUS, status_asset
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.savepoint import savepoint
from inpe_backup.ui import store
from tests.session import needs
from tests.site.postgres import PostgresServer

pytestmark = pytest.mark.slow

TASKS = 3
fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a database with Airflow's tables."""
    needs.postgres()
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        address = f"postgresql+psycopg2://{server.address}"
        engine = create_engine(address)
        import_all_models()  # type: ignore[no-untyped-call]
        AssetModel.metadata.create_all(engine)
        engine.dispose()
        yield address


class PublishOperator(BackupOperator):
    """A task that publishes."""

    def work(self, context: Context) -> None:
        """Do nothing else."""


def _end(url: str, key: str, together: Barrier, *, in_turn: bool) -> None:
    """End a task that published, as the task's process and the web server do."""
    together.wait()
    if in_turn:
        PublishOperator(task_id="publish", outlets=[BACKUP_STATUS]).post_execute({})
    asset = status_asset(key)
    event = {
        "source_alias_name": BACKUP_STATUS.name,
        "dest_asset_key": {"name": asset.name, "uri": asset.uri},
        "extra": {},
    }
    ti: Any = SimpleNamespace(
        dag_run=SimpleNamespace(partition_key=None, partition_date=None),
        task_id="publish",
        dag_id="a_dag",
        run_id="r",
        map_index=-1,
        log=logging.getLogger(__name__),
    )
    outlet = AssetProfile(type="AssetAlias", name=BACKUP_STATUS.name)
    with Session(create_engine(url)) as session:
        TaskInstance.register_asset_changes_in_db(ti, [outlet], [event], session=session)
        time.sleep(0.3)  # what else the transaction has to do
        session.commit()


def _ended(url: str, key: str, *, in_turn: bool) -> list[int]:
    """End several tasks at once; return the exit status of each."""
    together = fork.Barrier(TASKS)
    tasks = [
        fork.Process(target=_end, args=(url, key, together), kwargs={"in_turn": in_turn})
        for _ in range(TASKS)
    ]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    return sorted(task.exitcode or 0 for task in tasks)


def _events(url: str, asset: str) -> int:
    """Return how many events an asset has."""
    its = select(AssetEvent.id).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    with Session(create_engine(url)) as session:
        return len(session.scalars(its.where(AssetModel.name == asset)).all())


def test_tasks_that_publish_the_same_new_asset_at_once_all_succeed(url: str) -> None:
    """One at a time; Airflow by itself fails all but one for good."""
    assert _ended(url, "days/2026", in_turn=False) == [0, 1, 1]
    assert _ended(url, "days/2027", in_turn=True) == [0] * TASKS
    assert [_events(url, status_asset(f"days/{year}").name) for year in (2026, 2027)] == [1, TASKS]


def test_two_web_servers_may_take_the_first_acknowledgement_at_once(url: str) -> None:
    """The second waits for the first, and then uses its asset."""
    view: Any = SimpleNamespace(vault="a-uuid", path="/backup/vault")
    engine = create_engine(url)

    def acknowledge(key: str, hold_s: float = 0) -> None:
        part = AcknowledgedPart(key=key, by="ana", until=None)
        with Session(engine) as session:
            store.publish_acknowledged(session, view, part, datetime.now(UTC))
            session.flush()
            time.sleep(hold_s)
            session.commit()

    with ThreadPoolExecutor() as servers:
        first = servers.submit(acknowledge, "0" * 16, 0.5)
        time.sleep(0.2)
        second = servers.submit(acknowledge, "1" * 16)
        first.result()
        second.result()
    assert _events(url, f"{store.PREFIX}a-uuid/{store.ACKNOWLEDGED}") == 2
    engine.dispose()


def test_a_listener_that_fails_to_read_leaves_the_schedulers_transaction_whole(url: str) -> None:
    """It can be committed afterwards."""
    with Session(create_engine(url)) as session:
        session.add(AssetModel(name="scheduler", uri="scheduler"))
        with suppress(DBAPIError), savepoint(session):
            session.execute(text("SELECT no_such_column"))
        session.commit()
        assert session.scalar(select(AssetModel.name).where(AssetModel.name == "scheduler"))
