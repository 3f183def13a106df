"""A listener's error undoes only what the listener did in the scheduler's transaction."""

from contextlib import suppress

from airflow.models.asset import AssetModel
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.orm import Session

from inpe_backup.savepoint import savepoint


def test_what_the_scheduler_did_before_an_error_stays() -> None:
    """Also what its session hadn't sent to the database yet; test_on_postgres.py goes on."""
    engine = create_engine("sqlite://")
    AssetModel.metadata.create_all(engine, [AssetModel.__table__])
    with Session(engine) as session:
        session.add(AssetModel(name="scheduler"))
        with suppress(ZeroDivisionError), savepoint(session) as connection:
            connection.execute(text("DELETE FROM asset"))
            1 / 0  # noqa: B018
        with savepoint(session):
            session.execute(insert(AssetModel).values(name="listener", uri="listener", group=""))
        session.commit()
        assert sorted(session.scalars(select(AssetModel.name))) == ["listener", "scheduler"]
    engine.dispose()
