"""The pictures of a report, inline in its mail."""

import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from include.report.model import Report
from include.report.subject import by_urgency
from include.results.item import Item

LARGEST = 1 << 20
MOST_MAPS = 3
"""How many maps of days a mail has; of the others it says where they are in the vault."""
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Pictures:
    """A report, and the pictures that are sent with it.

    Args:
        report: the report; only items whose picture is sent have one.
        by_id: PNGs by their Content-ID.
        drawn: the names of the pictures of the whole report.
    """

    report: Report
    by_id: dict[str, bytes]
    drawn: frozenset[str] = frozenset()

    @classmethod
    def of(cls, report: Report, drawn: Mapping[str, bytes] = MappingProxyType({})) -> Self:
        """Read the items' pictures: PNGs below the archive, in regular files up to 1 MiB. Leave out others.

        Args:
            report: the report.
            drawn: the pictures of the whole report, by name.
        """
        found, items, maps = {content_id(name): png for name, png in drawn.items()}, [], 0
        for item in by_urgency(report.items):  # as the mail shows them: the run's own day has its map
            png = _read(item.picture, Path(report.archive)) if item.picture else None
            is_map = png is not None and item.picture_caption is not None
            if item.picture and png and not (is_map and maps >= MOST_MAPS):
                found[content_id(item.picture)] = png
                items.append(item)
                maps += is_map
            else:
                items.append(item.model_copy(update=_without_picture(item, is_map=is_map)))
        return cls(report.model_copy(update={"items": tuple(items)}), found, frozenset(drawn))


def without_pictures(report: Report) -> Report:
    """Return a report without pictures, for the page: it says where maps are, but no path of the vault."""
    items = (
        item.model_copy(update=_without_picture(item, is_map=item.picture_caption is not None))
        for item in report.items
    )
    return report.model_copy(update={"items": tuple(items)})


def _without_picture(item: Item, *, is_map: bool) -> dict[str, str | None]:
    return {"picture": None, "picture_caption": described(item) if is_map and item.picture else None}


def described(item: Item) -> str:
    """Return what stands for a picture where it can't be seen: a map's caption and place, or the file."""
    name = Path(item.picture or "").name
    if item.picture_caption:
        return f"{item.picture_caption} The map is in the vault, beside the day: {name}."
    return f"The screenshot is in the vault, beside the image: {name}."


def content_id(picture: str) -> str:
    """Return the Content-ID by which a mail's HTML refers to a picture (RFC 2392)."""
    return f"{hashlib.sha256(picture.encode()).hexdigest()[:16]}@inpe-backup"


def _read(picture: str, archive: Path) -> bytes | None:
    path = Path(picture)
    if ".." in path.parts or not path.parent.resolve().is_relative_to(archive.resolve()):
        return None
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as opened:
            found = os.fstat(file)
            if stat.S_ISREG(found.st_mode) and found.st_size < LARGEST:
                png = opened.read(LARGEST)
                return png if png.startswith(_PNG) else None
    return None
