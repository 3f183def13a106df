"""What the page reads of Airflow's database: the parts of vaults, by the assets' names."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session

from include.status.parts import AcknowledgedPart, Part, PublishedPart
from inpe_backup.assets import status_asset
from inpe_backup.ui.store import StatusStore, publish_acknowledged
from tests import sample_status

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def session() -> Iterator[Session]:
    """A database that has the tables of assets and their events."""
    engine = create_engine("sqlite://")
    AssetModel.metadata.create_all(engine, [AssetModel.__table__, AssetEvent.__table__])
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
