"""Put asset events straight into Airflow's database, as tasks would publish them, but sooner."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from airflow.models.asset import AssetEvent, AssetModel
from sqlalchemy import create_engine, delete, func, select
from sqlalchemy.orm import Session

from include.names import encoded
from include.status.parts import DaysPart, PublishedPart, RunPart, ScreenPart, SourcePart, VmsPart
from tests.site.airflow import LocalAirflow


def publish(airflow: LocalAirflow, events: Iterable[PublishedPart], *, clear: bool = False) -> None:
    """Publish parts, in the given order.

    Args:
        airflow: the Airflow.
        events: the parts.
        clear: whether to delete all earlier events.
    """
    publish_raw(airflow, ((_asset_of(event), event.model_dump(mode="json")) for event in events), clear=clear)


def publish_raw(
    airflow: LocalAirflow, events: Iterable[tuple[str, dict[str, object]]], *, clear: bool = False
) -> None:
    """Publish any events, even such that the page can't read: the asset's name, and the extra."""
    with _session(airflow) as session:
        if clear:
            session.execute(delete(AssetEvent))
        assets = {asset.name: asset.id for asset in session.scalars(select(AssetModel))}
        for name, extra in events:
            if name not in assets:
                asset = AssetModel(name=name, uri=name)
                session.add(asset)
                session.flush()
                assets[name] = asset.id
            session.add(AssetEvent(asset_id=assets[name], extra=extra))
        session.commit()


def newest(airflow: LocalAirflow) -> int:
    """Return the id of the last event; 0 if there is none."""
    with _session(airflow) as session:
        return session.scalar(select(func.max(AssetEvent.id))) or 0


@contextmanager
def _session(airflow: LocalAirflow) -> Iterator[Session]:
    engine = create_engine(airflow.home.environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    with Session(engine) as session:
        yield session
    engine.dispose()


def _asset_of(published: PublishedPart) -> str:
    """Return the name of a part's asset."""
    match published.part:
        case DaysPart(year=year):
            key = f"days/{year}"
        case VmsPart():
            key = "vms"
        case ScreenPart(name=name):
            key = f"screens/{encoded(name)}"
        case SourcePart():
            key = "source"
        case RunPart():
            key = "runs"
        case _:
            key = "vault"
    return f"backup_status/{published.vault}/{key}"
