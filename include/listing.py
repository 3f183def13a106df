"""What a day's folder holds, entry by entry: to tell whether two folders are the same, and to prove it."""

import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

from include.names import checked, shown

BLOCK_BYTES = 4096
_STRUCTURE = ("folder", "link")
_LINE = re.compile(r"(?P<mark>\\?)(?P<sha256>[0-9a-f]{64})  (?P<path>.+)", re.DOTALL)


class Entry(NamedTuple):
    """One name below the day's folder; the fields are those of ``source_agent``."""

    path: str
    kind: str
    size: int
    mtime_ns: int
    target: str | None
    sha256: str | None


@dataclass(frozen=True)
class Listing:
    """All entries of one folder, sorted by path; special files hold no data and count as nothing.

    Args:
        entries: what ``source_agent`` found.
        unreadable: pairs of path and reason.
    """

    entries: tuple[Entry, ...]
    unreadable: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Self:
        """Read a listing as ``source_agent`` gives it.

        Raises:
            BackupError: a path that leads out of the folder.
        """
        entries = (Entry(checked(path), *facts) for path, *facts in answer["entries"])
        return cls(tuple(entries), tuple((path, reason) for path, reason in answer["unreadable"]))

    @property
    def facts(self) -> dict[str, Any]:
        """The listing as JSON that :meth:`read` reads."""
        return {"entries": self.entries, "unreadable": self.unreadable}

    @cached_property
    def by_path(self) -> dict[str, Entry]:
        """The entries that a copy must hold too: all but special files."""
        return {entry.path: entry for entry in self.entries if entry.kind != "special"}

    @property
    def files(self) -> list[Entry]:
        """The regular files."""
        return [entry for entry in self.entries if entry.kind == "file"]

    @property
    def bytes(self) -> int:
        """What the regular files hold, in bytes."""
        return sum(entry.size for entry in self.files)

    @property
    def disk_bytes(self) -> int:
        """What a copy takes on a disk of 4 KiB blocks, folders included."""
        return sum(-(-entry.size // BLOCK_BYTES) * BLOCK_BYTES or BLOCK_BYTES for entry in self.entries)

    @property
    def looks(self) -> dict[str, tuple[object, ...]]:
        """Each path's kind, size, time and link target: equal as long as nothing was touched."""
        return {path: entry[1:5] for path, entry in self.by_path.items()}

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the looks: the same fact, short enough for a record."""
        return hashlib.sha256(json.dumps(self.looks).encode()).hexdigest()

    @property
    def structure(self) -> str:
        """SHA-256 over the folders, and the links with where they lead: what no list of sums tells of."""
        told = [(entry.path, entry.kind, entry.target) for entry in self.entries if entry.kind in _STRUCTURE]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def content(self) -> dict[str, tuple[object, ...]]:
        """Each path's kind, size, and SHA-256 or link target: equal as long as the data are the same."""
        return {
            path: (entry.kind, entry.size, entry.target, entry.sha256) for path, entry in self.by_path.items()
        }

    @property
    def oddities(self) -> list[str]:
        """What a copy can't hold, as sentences: special files, and links that lead out of the day."""
        sentences = (_oddity(entry) for entry in self.entries)
        return [sentence for sentence in sentences if sentence]


def differing(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Give the paths at which two listings' looks, or contents, differ, in order."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def named(paths: Iterable[str], most: int = 3) -> str:
    """Name a few paths and count the rest, for a sentence."""
    every = list(paths)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(shown(path) for path in every[:most]) + rest


def sha256_lines(listing: Listing) -> bytes:
    r"""Give the listing as ``sha256sum --check`` reads it.

    A name with a backslash, a newline or a carriage return is escaped, and its line begins with a
    backslash (GNU coreutils manual, "md5sum invocation"); ``-`` alone would mean standard input.
    """
    return b"".join(_sha256_line(entry) for entry in listing.files)


def sha256_of(lines: bytes) -> dict[str, str]:
    """Read what :func:`sha256_lines` gives: the SHA-256 of each file by its path.

    Raises:
        BackupError: a path that leads out of the folder.
        ValueError: a line that is none.
    """
    *every, rest = lines.decode("utf-8", "surrogateescape").split("\n")
    read = [line for one in every if (line := _LINE.fullmatch(one))]
    found = {checked(_unescaped(line).removeprefix("./")): line["sha256"] for line in read}
    if rest or len(found) != len(every):
        raise ValueError("a line isn't as sha256sum writes it")
    return found


def _unescaped(line: re.Match[str]) -> str:
    signs = {"n": "\n", "r": "\r", "\\": "\\"}
    return re.sub(r"\\(.)", lambda sign: signs[sign[1]], line["path"]) if line["mark"] else line["path"]


def _sha256_line(entry: Entry) -> bytes:
    name = entry.path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "" if name == entry.path else "\\"
    return f"{mark}{entry.sha256}  {'./-' if name == '-' else name}\n".encode("utf-8", "surrogateescape")


def _oddity(entry: Entry) -> str | None:
    if entry.kind == "special":
        return f"{shown(entry.path)} is a FIFO, socket or device: it holds no data and isn't copied."
    if entry.kind == "link" and _leads_out(entry):
        return f"The link {shown(entry.path)} leads out of the day: it is kept, what it points to is not."
    return None


def _leads_out(link: Entry) -> bool:
    target = link.target or ""
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), target))
    return target.startswith("/") or reached == ".." or reached.startswith("../")
