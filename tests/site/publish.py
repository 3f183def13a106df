"""Asset events, put straight into an Airflow's database: as tasks publish them, only sooner."""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from include.standing.facts import (
    DaysPart,
    MachinePart,
    MachinesPart,
    Published,
    RunPart,
    ScreenPart,
    SourcePart,
)
from tests.site.airflow import LocalAirflow

if TYPE_CHECKING:
    from airflow.models.asset import AssetModel
    from sqlalchemy.orm import Session


def key(published: Published) -> str:
    """Give the name of the asset that a part belongs to."""
    match published.part:
        case DaysPart(year=year):
            kind = f"days/{year}"
        case MachinePart(name=name):
            kind = f"machines/{quote(name, safe='')}"
        case MachinesPart():
            kind = "machines"
        case ScreenPart(name=name):
            kind = f"screens/{quote(name, safe='')}"
        case SourcePart():
            kind = "source"
        case RunPart():
            kind = "runs"
        case _:
            kind = "vault"
    return f"backup_facts/{published.vault}/{kind}"


def publish(airflow: LocalAirflow, events: Iterable[Published]) -> None:
    """Publish in the given order."""
    lines = [json.dumps([key(event), event.model_dump(mode="json")]) for event in events]
    publish_raw(airflow, lines)


def publish_raw(airflow: LocalAirflow, lines: Iterable[str]) -> None:
    """Publish anything: each line a JSON list of an asset's name and an event's extra."""
    subprocess.run(
        [sys.executable, "-m", "tests.site.publish"],
        env=airflow.home.environment(),
        cwd=airflow.home.folder,
        input="\n".join(lines),
        text=True,
        check=True,
        capture_output=True,
    )


def forget(airflow: LocalAirflow) -> None:
    """Have Airflow's database lose everything that was published."""
    publish_raw(airflow, ['["", null]'])


def _write(lines: Iterable[str]) -> None:
    from airflow.models.asset import AssetEvent  # noqa: PLC0415 - only in a process of that Airflow
    from airflow.utils.session import create_session  # noqa: PLC0415 - as above

    with create_session() as session:
        known: dict[str, AssetModel] = {}
        for line in lines:
            name, extra = json.loads(line)
            if not name:
                session.query(AssetEvent).delete()
                continue
            asset = known.setdefault(name, _asset(session, name))
            session.add(AssetEvent(asset_id=asset.id, extra=extra))


def _asset(session: "Session", name: str) -> "AssetModel":
    from airflow.models.asset import AssetModel  # noqa: PLC0415 - as above

    found = session.query(AssetModel).filter_by(name=name).one_or_none()
    if found is None:
        found = AssetModel(name=name, uri=name)
        session.add(found)
        session.flush()
    return found


if __name__ == "__main__":
    _write(sys.stdin.read().splitlines())
