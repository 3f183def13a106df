"""A map of each day that a run secured, drawn from the published copy: that it can be read, as a picture.

2026/268.png beside the day, as the picture of a drill lies beside its generation: the mail can be sent again
without drawing, facts that travel stay small, and whoever looks into the vault sees what it holds.
"""

import os
from contextlib import suppress
from pathlib import Path

from include.errors import VaultError
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
    day = OrdinalDay.parse(item.name.partition(".")[0])
    found = [one for one in vault.revisions(day) if one.revision == item.revision]
    if not found:
        return item
    with suppress(OSError):
        found[0].picture.unlink(missing_ok=True)  # one of another time must not stand for this one
    try:
        said: dict[str, object] = {
            "picture": str(found[0].picture),
            "picture_says": _drawn(found[0], report),
        }
    except Exception as why:  # noqa: BLE001 - whatever it is, no run fails for want of a picture
        told = f"The TEC map couldn't be drawn: {why}"
        said = {"warnings": (*item.warnings, told)} if _is_supim(found[0]) else {}
    return Item.model_validate({**item.model_dump(), **said})


def _drawn(published: PublishedDay, report: Report) -> str:
    """Keep the map, and say what it shows."""
    from include.pictures import tec_field, tec_map  # noqa: PLC0415 - who draws nothing doesn't load what draws

    field = tec_field.near_noon(published.day, published.folder, report.zone)
    _keep(published.picture, tec_map.picture(field, published.day, report.zone))
    return tec_map.says(field, published.day, report.zone)


def _is_supim(published: PublishedDay) -> bool:
    """Tell whether it was held against its descriptors: of other folders no map is expected."""
    try:
        return published.record.steps is not None
    except VaultError:
        return True


def _keep(path: Path, png: bytes) -> None:
    """Write a picture whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(png)
        os.fsync(file.fileno())
    part.replace(path)
