"""The manifest of a day's folder: its entries, to compare and to verify folders."""

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from sys import intern
from typing import Any, NamedTuple, Self

from include.names import checked, named, shown

BLOCK_BYTES = 4096
_STRUCTURE = ("folder", "link")


class ManifestEntry(NamedTuple):
    """An entry of the folder, with the fields of ``folder_scan``."""

    path: str
    kind: str
    size: int
    mtime_ns: int
    target: str | None
    sha256: str | None
    ctime_ns: int = 0


@dataclass(frozen=True)
class Manifest:
    """All entries of one folder, sorted by path. Special files have no data and are never compared.

    Args:
        entries: the entries.
        unreadable: pairs of path and reason.
        excluded: paths that were left out by their names.
    """

    entries: tuple[ManifestEntry, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    excluded: tuple[str, ...] = ()

    @classmethod
    def read(cls, scan: dict[str, Any]) -> Self:
        """Read the result of ``folder_scan``, and empty it: a day may have a million files.

        Raises:
            BackupError: a path leads out of the folder.
        """
        entries = list(scan.pop("entries"))
        for index, entry in enumerate(entries):
            entries[index] = _entry(entry)
        unreadable = tuple((path, reason) for path, reason in scan["unreadable"])
        return cls(tuple(entries), unreadable, tuple(scan.get("excluded", ())))

    def without(self, patterns: Sequence[str]) -> Self:
        """Return the manifest without what a pattern names: a file, or a folder and all in it."""
        out = {entry.path for entry in self.entries if _matches(entry.path, patterns)}
        kept = tuple(entry for entry in self.entries if entry.path not in out)
        unreadable = tuple(pair for pair in self.unreadable if not _matches(pair[0], patterns))
        return replace(self, entries=kept, unreadable=unreadable, excluded=(*self.excluded, *sorted(out)))

    @property
    def as_json(self) -> dict[str, Any]:
        """The manifest as JSON for :meth:`read`."""
        return {"entries": self.entries, "unreadable": self.unreadable, "excluded": self.excluded}

    @cached_property
    def by_path(self) -> dict[str, ManifestEntry]:
        """The entries that a copy must have too, by path: all but special files."""
        return {entry.path: entry for entry in self.entries if entry.kind != "special"}

    @property
    def files(self) -> list[ManifestEntry]:
        """The regular files."""
        return [entry for entry in self.entries if entry.kind == "file"]

    @property
    def bytes(self) -> int:
        """The total size of the regular files, in bytes."""
        return sum(entry.size for entry in self.files)

    @property
    def disk_bytes(self) -> int:
        """The space that a copy uses on a disk with 4 KiB blocks, including folders, in bytes."""
        return sum(-(-entry.size // BLOCK_BYTES) * BLOCK_BYTES or BLOCK_BYTES for entry in self.entries)

    @property
    def metadata(self) -> dict[str, tuple[object, ...]]:
        """Each path's kind, size, times and link target: equal as long as nothing was touched.

        A program can put back a file's size and modification time, but not its change time (``ctime``).
        """
        return {path: (*entry[1:5], entry.ctime_ns) for path, entry in self.by_path.items()}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over :attr:`metadata`."""
        digest = hashlib.sha256()
        for path, fields in self.metadata.items():
            digest.update(json.dumps([path, *fields]).encode())
        return digest.hexdigest()

    @property
    def structure(self) -> str:
        """SHA-256 over the folders, and the links with their targets, which a checksum list doesn't cover."""
        return structure_of(
            (entry.path, entry.kind, entry.target) for entry in self.entries if entry.kind in _STRUCTURE
        )

    @property
    def sums(self) -> list[tuple[str, str]]:
        """Each regular file's path and SHA-256, if the manifest has them."""
        return [(entry.path, str(entry.sha256)) for entry in self.files]

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """Each regular file's path and size in bytes."""
        return [(entry.path, entry.size) for entry in self.files]

    @property
    def content(self) -> dict[str, tuple[object, ...]]:
        """Each path's kind, size, and SHA-256 or link target: equal as long as the data are the same."""
        return {
            path: (entry.kind, entry.size, entry.target, entry.sha256) for path, entry in self.by_path.items()
        }

    @property
    def warnings(self) -> list[str]:
        """What a copy leaves out, as sentences: special files, targets of outside links, the excluded."""
        sentences = [sentence for entry in self.entries if (sentence := _warning(entry))]
        if self.excluded:
            sentences.append(f"Left out by name (exclude in the site file): {named(self.excluded)}.")
        return sentences


def structure_of(entries: Iterable[tuple[str, str, str | None]]) -> str:
    """Return SHA-256 over the path, kind and target of folders and links, which are sorted by path."""
    return hashlib.sha256(json.dumps(list(entries)).encode()).hexdigest()


def _entry(fields: Sequence[Any]) -> ManifestEntry:
    """Return an entry whose texts are shared with the day's other manifests: they are most of its memory."""
    path, kind, size, mtime_ns, target, sha256, *ctime_ns = fields
    shared = None if sha256 is None else intern(sha256)
    return ManifestEntry(intern(checked(path)), intern(kind), size, mtime_ns, target, shared, *ctime_ns)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(part, pattern) for part in path.split("/") for pattern in patterns)


def differing(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Return the paths whose metadata, or content, differs between two manifests, sorted."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


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
