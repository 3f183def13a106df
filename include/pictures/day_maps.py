"""A map of each day that a run secured, drawn from the published copy: that it can be read, as a picture.

2026/268.png beside the day, as the picture of a drill lies beside its generation: the mail can be sent again
without drawing, facts that travel stay small, and whoever looks into the vault sees what it holds.
"""

import os
from pathlib import Path

from include.errors import BackupError
from include.ordinal_day import OrdinalDay
from include.published_day import PublishedDay
from include.report import Item, Outcome, Report
from include.vault import Vault

_SECURED = (Outcome.COPIED, Outcome.NEW_REVISION, Outcome.FETCHED_AGAIN)


def with_maps(report: Report, vault: Vault | None) -> Report:
    """Draw and keep the map of each day that the run secured; an item says why it has none."""
    if vault is None:
        return report
    items = (_with_map(item, report, vault) if item.outcome in _SECURED else item for item in report.items)
    return report.model_copy(update={"items": tuple(items)})


def _with_map(item: Item, report: Report, vault: Vault) -> Item:
    try:
        said = _mapped(item, report, vault)
    except Exception as why:  # noqa: BLE001 - whatever it is, no run fails for want of a picture
        said = {"warnings": (*item.warnings, f"The TEC map couldn't be drawn: {why}")}
    return Item.model_validate({**item.model_dump(), **said})


def _mapped(item: Item, report: Report, vault: Vault) -> dict[str, object]:
    day = OrdinalDay.parse(item.name.partition(".")[0])
    for published in (one for one in vault.revisions(day) if one.revision == item.revision):
        try:
            return {"picture_says": _drawn(published, report), "picture": str(published.picture)}
        except BackupError:
            published.picture.unlink(missing_ok=True)  # one of another time must not stand for this one
            if published.record.steps is not None:  # else it isn't held against descriptors, and needs none
                raise
    return {}


def _drawn(published: PublishedDay, report: Report) -> str:
    """Keep the map, and say what it shows."""
    from include.pictures import tec_field, tec_map  # noqa: PLC0415 - who draws nothing doesn't load what draws

    field = tec_field.near_noon(published.day, published.folder, report.zone)
    _keep(published.picture, tec_map.picture(field, published.day, report.zone))
    return tec_map.says(field, published.day, report.zone)


def _keep(path: Path, png: bytes) -> None:
    """Write a picture whole or not at all; one that is there already stays as it is."""
    if path.is_file() and path.read_bytes() == png:
        return
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(png)
        os.fsync(file.fileno())
    part.replace(path)
