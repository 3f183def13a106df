"""Maps of the days that a run copied, drawn from the published copies: evidence that those can be read.

A map is stored beside its day, as 2026/268.png, like the screenshot of a boot test beside its generation. So
the mail can be sent again without drawing, XCom values stay small, and the vault can be browsed.
"""

from pathlib import Path

from include.agent.durable_files import write_whole
from include.days.archive import DayArchive
from include.days.published import PublishedDay
from include.errors import BackupError
from include.ordinal_day import OrdinalDay
from include.report import Report
from include.results.item import Item
from include.results.states import Outcome
from include.vault.vault import Vault

_COPIED = (Outcome.COPIED, Outcome.NEW_REVISION, Outcome.FETCHED_AGAIN)


def with_maps(report: Report, vault: Vault | None) -> Report:
    """Draw and store the map of each day that the run copied; if that fails, the item has a warning."""
    if vault is None:
        return report
    items = (_with_map(item, report, vault) if item.outcome in _COPIED else item for item in report.items)
    return report.model_copy(update={"items": tuple(items)})


def _with_map(item: Item, report: Report, vault: Vault) -> Item:
    try:
        fields = _picture_fields(item, report, vault)
    except Exception as error:  # noqa: BLE001 - no run fails because a picture couldn't be drawn
        fields = {"warnings": (*item.warnings, f"The TEC map couldn't be drawn: {error}")}
    return Item.model_validate({**item.model_dump(), **fields})


def _picture_fields(item: Item, report: Report, vault: Vault) -> dict[str, object]:
    day = OrdinalDay.parse(item.name.partition(".")[0])
    for published in (found for found in DayArchive(vault).revisions(day) if found.revision == item.revision):
        try:
            return {"picture_caption": _draw(published, report), "picture": str(published.picture)}
        except BackupError:
            published.picture.unlink(missing_ok=True)  # an older map must not pass for this one
            if published.record.steps is not None:  # else its descriptors aren't checked: no map needed
                raise
    return {}


def _draw(published: PublishedDay, report: Report) -> str:
    """Store the map, and return its caption."""
    from include.report.pictures import tec_field, tec_map  # noqa: PLC0415 - they load matplotlib

    field = tec_field.near_noon(published.day, published.folder, report.zone)
    _store(published.picture, tec_map.picture(field, published.day, report.zone))
    return tec_map.caption(field, published.day, report.zone)


def _store(path: Path, png: bytes) -> None:
    """Write a picture atomically, unless the same one is there already."""
    if not (path.is_file() and path.read_bytes() == png):
        write_whole(path, png)
