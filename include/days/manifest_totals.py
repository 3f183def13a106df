"""What the entries of a manifest are together: counted and hashed one by one, as they come."""

import hashlib
import posixpath
from collections.abc import Iterable

from include.days.manifest_entry import ManifestEntry
from include.models import Model
from include.names import Names, shown

BLOCK_BYTES = 4096
_MOST_WARNINGS = 10


class ManifestTotals(Model):
    """The totals of a manifest.

    Args:
        entries: the number of files, folders, links and special files.
        files: the number of regular files.
        bytes: their total size.
        disk_bytes: the space that a copy uses on a disk with 4 KiB blocks, including folders.
        unhashed: the number of regular files without a SHA-256.
        fingerprint: SHA-256 over the metadata of all entries but special files.
        structure: SHA-256 over the folders, and the links with their targets, which no checksum list covers.
        warnings: what a copy leaves out, as sentences: special files, targets of outside links, the excluded.
    """

    entries: int = 0
    files: int = 0
    bytes: int = 0
    disk_bytes: int = 0
    unhashed: int = 0
    fingerprint: str = ""
    structure: str = ""
    warnings: tuple[str, ...] = ()


def structure_of(entries: Iterable[tuple[str, str, str | None]]) -> str:
    """Return the totals' ``structure`` of folders and links: path, kind and target of each, in order."""
    return hashlib.sha256(b"".join(_structure(*entry) for entry in entries)).hexdigest()


class Totaller:
    """Adds up the entries of a manifest."""

    def __init__(self) -> None:
        self._entries = self._files = self._bytes = self._disk_bytes = self._unhashed = 0
        self._metadata, self._structure = hashlib.sha256(), hashlib.sha256()
        self._warnings: list[str] = []
        self._more_warnings = 0
        self.excluded = Names()

    def add(self, entry: ManifestEntry) -> None:
        """Add an entry; they come in order."""
        path, kind, size, mtime_ns, target, sha256, ctime_ns = entry
        self._entries += 1
        self._disk_bytes += -(-size // BLOCK_BYTES) * BLOCK_BYTES or BLOCK_BYTES
        if kind == "file":
            self._files += 1
            self._bytes += size
            self._unhashed += sha256 is None
        else:
            self._add_warning(entry)
        if kind == "special":
            return
        # No name holds a NUL, so no two lists of entries are the same text.
        fields = f"{path}\0{kind}\0{size}\0{mtime_ns}\0{target or ''}\0{ctime_ns}\0"
        self._metadata.update(fields.encode("utf-8", "surrogateescape"))
        if kind != "file":
            self._structure.update(_structure(path, kind, target))

    @property
    def totals(self) -> ManifestTotals:
        """The totals of what was added."""
        return ManifestTotals(
            entries=self._entries,
            files=self._files,
            bytes=self._bytes,
            disk_bytes=self._disk_bytes,
            unhashed=self._unhashed,
            fingerprint=self._metadata.hexdigest(),
            structure=self._structure.hexdigest(),
            warnings=tuple(self._sentences()),
        )

    def _add_warning(self, entry: ManifestEntry) -> None:
        if sentence := _warning(entry):
            if len(self._warnings) < _MOST_WARNINGS:
                self._warnings.append(sentence)
            else:
                self._more_warnings += 1

    def _sentences(self) -> list[str]:
        more = f"{self._more_warnings:,} more links or special files are like these."
        excluded = f"Left out by name (exclude in the site file): {self.excluded}."
        return [
            *self._warnings,
            *([more] if self._more_warnings else []),
            *([excluded] if self.excluded else []),
        ]


def _structure(path: str, kind: str, target: str | None) -> bytes:
    return f"{path}\0{kind}\0{target or ''}\0".encode("utf-8", "surrogateescape")


def _warning(entry: ManifestEntry) -> str | None:
    if entry.kind == "special":
        return f"{shown(entry.path)} is a FIFO, socket or device: it holds no data and isn't copied."
    if entry.kind == "link" and _leads_out(entry):
        return f"The link {shown(entry.path)} leads out of the day: the link is copied, its target isn't."
    return None


def _leads_out(link: ManifestEntry) -> bool:
    target = link.target or ""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target))
    return target.startswith("/") or path == ".." or path.startswith("../")
