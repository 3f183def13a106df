"""Asset events, put straight into an Airflow's database: as tasks publish them, only sooner."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from airflow.models.asset import AssetEvent, AssetModel
from sqlalchemy import create_engine, delete, func, select
from sqlalchemy.orm import Session

from include.names import encoded
from include.standing.facts import DaysPart, MachinesPart, Published, RunPart, ScreenPart, SourcePart
from tests.site.airflow import LocalAirflow


def publish(airflow: LocalAirflow, events: Iterable[Published], *, anew: bool = False) -> None:
    """Publish in the given order.

    Args:
        airflow: where.
        events: what.
        anew: whether everything that was published before is forgotten.
    """
    publish_raw(airflow, ((_asset_of(event), event.model_dump(mode="json")) for event in events), anew=anew)


def publish_raw(
    airflow: LocalAirflow, events: Iterable[tuple[str, dict[str, object]]], *, anew: bool = False
) -> None:
    """Publish anything, known to the page or not: an asset's name and an event's extra."""
    with _session(airflow) as session:
        if anew:
            session.execute(delete(AssetEvent))
        known = {asset.name: asset.id for asset in session.scalars(select(AssetModel))}
        for name, extra in events:
            if name not in known:
                asset = AssetModel(name=name, uri=name)
                session.add(asset)
                session.flush()
                known[name] = asset.id
            session.add(AssetEvent(asset_id=known[name], extra=extra))
        session.commit()


def newest(airflow: LocalAirflow) -> int:
    """Give the number of the last event; 0: there is none."""
    with _session(airflow) as session:
        return session.scalar(select(func.max(AssetEvent.id))) or 0


@contextmanager
def _session(airflow: LocalAirflow) -> Iterator[Session]:
    engine = create_engine(airflow.home.environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    with Session(engine) as session:
        yield session
    engine.dispose()


def _asset_of(published: Published) -> str:
    """Give the name of the asset that a part belongs to."""
    match published.part:
        case DaysPart(year=year):
            key = f"days/{year}"
        case MachinesPart():
            key = "machines"
        case ScreenPart(name=name):
            key = f"screens/{encoded(name)}"
        case SourcePart():
            key = "source"
        case RunPart():
            key = "runs"
        case _:
            key = "vault"
    return f"backup_facts/{published.vault}/{key}"
