"""The manifest of a day's folder: its entries, to compare and to verify folders.

A day may have a million files, so a manifest is packed: some 30 bytes for an entry, and as many again for a
SHA-256. Its entries are unpacked a few at a time, and two manifests are compared as they go.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from include.days.manifest_entry import ManifestEntry, entry_from
from include.days.manifest_totals import ManifestTotals
from include.errors import VaultError
from include.names import Names
from include.shapes import ShapeError

PACKED_ENTRIES = 512
_LEVEL = 1  # of compression: another saves little


class PackedLines:
    """Entries as lines of JSON, each of which is compressed."""

    def __init__(self) -> None:
        self.packed: list[bytes] = []

    def add(self, entries: list[ManifestEntry]) -> None:
        """Pack a line."""
        self.packed.append(gzip.compress(json.dumps(entries).encode() + b"\n", _LEVEL, mtime=0))

    def __iter__(self) -> Iterator[list[ManifestEntry]]:
        """Yield the lines of entries."""
        for packed in self.packed:
            yield [ManifestEntry._make(fields) for fields in json.loads(gzip.decompress(packed))]


class SavedLines:
    """The same, in a file of staging (``manifest_file.py``), after a first line.

    Each line is compressed by itself, so a file that lost some is still a valid one. It counts as damaged.

    Args:
        path: the file.
        count: the number of entries that it must have.
    """

    def __init__(self, path: Path, count: int) -> None:
        self._path, self._count = path, count

    def __iter__(self) -> Iterator[list[ManifestEntry]]:
        """Yield the lines of entries.

        Raises:
            VaultError: the file is damaged.
        """
        try:
            yield from self._checked()
        except (EOFError, OSError, ShapeError, TypeError, ValueError, RecursionError, zlib.error) as damaged:
            raise VaultError(
                f"{self._path} can't be read ({damaged}). Clear the day's copy task."
            ) from damaged

    def _checked(self) -> Iterator[list[ManifestEntry]]:
        count, last = 0, b""
        with gzip.open(self._path) as lines:
            next(lines)
            for line in lines:
                entries = [entry_from(fields) for fields in json.loads(line)]
                if not entries or entries[0].order <= last:
                    raise ShapeError("its lines aren't in order")
                count, last = count + len(entries), entries[-1].order
                yield entries
        if count != self._count:
            raise ShapeError(f"it has {count:,} entries instead of {self._count:,}")


class Manifest:
    """All entries of one folder, in order. Special files have no data and are never compared.

    Args:
        lines: the entries.
        totals: what they are together.
        unreadable: the paths that can't be read.
    """

    def __init__(
        self, lines: PackedLines | SavedLines, totals: ManifestTotals, unreadable: Names | None = None
    ) -> None:
        self.lines = lines
        self.totals = totals
        self.unreadable = unreadable or Names()

    def __iter__(self) -> Iterator[ManifestEntry]:
        """Yield the entries."""
        for line in self.lines:
            yield from line

    @property
    def compared(self) -> Iterator[ManifestEntry]:
        """The entries that a copy must have too: all but special files."""
        return (entry for entry in self if entry.kind != "special")

    @property
    def files(self) -> Iterator[ManifestEntry]:
        """The regular files."""
        return (entry for entry in self if entry.kind == "file")


Aspect = Callable[[ManifestEntry], object]


def metadata(entry: ManifestEntry) -> object:
    """Return an entry's :attr:`ManifestEntry.metadata`, for :func:`differing`."""
    return entry.metadata


def content(entry: ManifestEntry) -> object:
    """Return an entry's :attr:`ManifestEntry.content`, for :func:`differing`."""
    return entry.content


Pair = tuple[ManifestEntry | None, ManifestEntry | None]


def differing(one: Manifest, other: Manifest, by: Aspect) -> Iterator[Pair]:
    """Yield the entries that differ between two manifests, in order; None stands for one that is missing.

    Args:
        one: a manifest.
        other: another one.
        by: what of the entries is compared.
    """
    for left, right in pairs(one.compared, other.compared):
        if left is None or right is None or by(left) != by(right):
            yield left, right


def is_newer(now: Manifest, before: Manifest) -> bool:
    """Return whether anything is new or changed; what is gone doesn't count: its copy may be the only one."""
    if now.totals.fingerprint == before.totals.fingerprint:
        return False
    return any(there for _, there in differing(before, now, metadata))


def paths(found: Iterable[Pair]) -> Iterator[str]:
    """Yield the path of each pair."""
    for one, other in found:
        if entry := one or other:
            yield entry.path


def pairs(one: Iterator[ManifestEntry], other: Iterator[ManifestEntry]) -> Iterator[Pair]:
    """Yield the entries of two manifests side by side, by their paths."""
    left, right = next(one, None), next(other, None)
    while left or right:
        if left and right and left.path == right.path:
            yield left, right
            left, right = next(one, None), next(other, None)
        elif right is None or (left and left.order < right.order):
            yield left, None
            left = next(one, None)
        else:
            yield None, right
            right = next(other, None)
