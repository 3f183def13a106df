"""An entry of a day's folder: checked when it comes from outside, and compared with another's."""

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import NamedTuple

from include.errors import BackupError
from include.names import checked, path_order
from include.shapes import ShapeError, brief

LARGEST = 1 << 63
_KINDS = ("file", "folder", "link", "special")
_SHA256 = re.compile("[0-9a-f]{64}")


class ManifestEntry(NamedTuple):
    """An entry of the folder, with the fields of ``folder_scan``."""

    path: str
    kind: str
    size: int
    mtime_ns: int
    target: str | None
    sha256: str | None
    ctime_ns: int = 0

    @property
    def order(self) -> bytes:
        """What entries are sorted by: a folder comes before what is in it."""
        return path_order(self.path)

    @property
    def metadata(self) -> tuple[object, ...]:
        """Kind, size, times and link target: equal as long as nothing was touched.

        A program can put back a file's size and modification time, but not its change time (``ctime``).
        """
        return (self.kind, self.size, self.mtime_ns, self.target, self.ctime_ns)

    @property
    def content(self) -> tuple[object, ...]:
        """Kind, size, and SHA-256 or link target: equal as long as the data are the same."""
        return (self.kind, self.size, self.target, self.sha256)


def entry_from(fields: object) -> ManifestEntry:
    """Return an entry that came as JSON.

    Raises:
        ShapeError: it has another form than ``folder_scan`` gives it, or its path leads out of the folder.
    """
    if not isinstance(fields, list) or len(fields) != len(ManifestEntry._fields):
        raise ShapeError(f"an entry is {brief(fields)}")
    path, kind, size, mtime_ns, target, sha256, ctime_ns = fields
    if type(path) is not str:
        raise ShapeError(f"a path is {brief(path)}")
    if (
        (type(size), type(mtime_ns), type(ctime_ns)) != (int, int, int)
        or not 0 <= size < LARGEST
        or not -LARGEST <= mtime_ns < LARGEST
        or not -LARGEST <= ctime_ns < LARGEST
        or kind not in _KINDS
        or (type(target) is str) is not (kind == "link")
        or (target is None) is (kind == "link")
        or not (sha256 is None or (kind == "file" and type(sha256) is str and _SHA256.fullmatch(sha256)))
    ):
        raise ShapeError(f"the entry of {brief(path)} is {brief(fields[1:])}")
    _require_names(path, target)
    return ManifestEntry(path, kind, size, mtime_ns, target, sha256, ctime_ns)


def _require_names(path: str, target: str | None) -> None:
    try:
        checked(path)
        for name in (path, target or ""):
            name.encode("utf-8", "surrogateescape")
    except BackupError as outside:
        raise ShapeError(str(outside).rstrip(".")) from outside
    except UnicodeEncodeError as impossible:
        raise ShapeError(f"{brief(path)} is no name of a file") from impossible
    if target is not None and (not target or "\0" in target):
        raise ShapeError(f"the target of the link {brief(path)} is {brief(target)}")


class Exclusion:
    """What is no part of a day: the files and folders that a pattern names, and all in such a folder.

    As rsync does, which copies by the same patterns, it takes names as bytes: ``?`` is half of an ``ã``.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._name = re.compile("|".join(map(translate, patterns)).encode()) if patterns else None

    def __contains__(self, path: str) -> bool:
        """Return whether a path is excluded."""
        name = self._name
        if name is None:
            return False
        return any(name.match(part) for part in path.encode("utf-8", "surrogateescape").split(b"/"))
