"""Makes a manifest of entries as they come, from a host or from a folder here."""

from collections.abc import Iterable, Sequence
from typing import Any

from include.days.folder_scan import DESCRIBED_FIELDS, DESCRIPTORS_LIMIT, is_descriptor
from include.days.manifest import PACKED_ENTRIES, Manifest, PackedLines
from include.days.manifest_entry import Exclusion, ManifestEntry, entry_from
from include.days.manifest_totals import Totaller
from include.names import Names
from include.shapes import ShapeError, brief, field_of


class ManifestBuilder:
    """Makes a manifest; its memory doesn't grow with the number of entries but by what the manifest packs.

    Args:
        exclude: patterns of names that are no part of the day.
    """

    def __init__(self, exclude: Sequence[str] = ()) -> None:
        self._exclusion = Exclusion(exclude)
        self._lines, self._totaller, self._unreadable = PackedLines(), Totaller(), Names()
        self._line: list[ManifestEntry] = []
        self._last = b""
        self._descriptor_chars = 0
        self.descriptors: dict[str, str] = {}

    def take(self, answer: dict[str, Any]) -> None:
        """Add a line of ``folder_scan.in_lines``.

        Raises:
            ShapeError: it has another form, or an entry comes out of order.
        """
        for fields in field_of(answer, "entries", list):
            self.add(fields)

    def add(self, fields: object) -> None:
        """Add an entry as ``folder_scan`` gives it.

        Raises:
            ShapeError: it has another form, or comes out of order.
        """
        if isinstance(fields, list) and fields[1:2] == ["unreadable"]:
            self._add_unreadable(fields)
        elif isinstance(fields, list) and len(fields) == DESCRIBED_FIELDS:
            *others, text = fields
            self._add_descriptor(entry_from(others), text)
        else:
            self.add_entry(entry_from(fields))

    def add_entry(self, entry: ManifestEntry) -> None:
        """Add an entry.

        Raises:
            ShapeError: it comes out of order.
        """
        order = entry.order
        if order <= self._last:
            raise ShapeError(f"the entry of {brief(entry.path)} comes too late, or a second time")
        self._last = order
        if entry.path in self._exclusion:
            self._totaller.excluded.add(entry.path)
            return
        self._totaller.add(entry)
        self._line.append(entry)
        if len(self._line) == PACKED_ENTRIES:
            self._pack()

    def manifest(self) -> Manifest:
        """Return the manifest of what was added."""
        if self._line:
            self._pack()
        return Manifest(self._lines, self._totaller.totals, self._unreadable)

    def _pack(self) -> None:
        self._lines.add(self._line)
        self._line = []

    def _add_unreadable(self, fields: list[Any]) -> None:
        path = fields[0]
        if type(path) is not str or not _is_encodable(path):
            raise ShapeError(f"an unreadable path is {brief(path)}")
        if path not in self._exclusion:
            self._unreadable.add(path)

    def _add_descriptor(self, entry: ManifestEntry, text: object) -> None:
        if type(text) is not str or not is_descriptor(entry.path, entry.kind):
            raise ShapeError(f"the text of {brief(entry.path)} is {brief(text)}")
        self._descriptor_chars += len(text)
        if self._descriptor_chars > DESCRIPTORS_LIMIT:
            raise ShapeError("the descriptors are too long")
        self.add_entry(entry)
        if entry.path not in self._exclusion:
            self.descriptors[entry.path] = text


def _is_encodable(path: str) -> bool:
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def manifest_of(scan: Iterable[object]) -> Manifest:
    """Return the manifest of a folder of this machine, of what ``folder_scan`` yields."""
    builder = ManifestBuilder()
    for fields in scan:
        builder.add(fields)
    return builder.manifest()


def manifest_with(entries: Iterable[ManifestEntry]) -> Manifest:
    """Return the manifest of entries in any order."""
    builder = ManifestBuilder()
    for entry in sorted(entries, key=lambda entry: entry.order):
        builder.add_entry(entry)
    return builder.manifest()
