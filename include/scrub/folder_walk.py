"""Walk a folder in the order of a manifest; in memory are only the names of the folders on the way."""

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from include.days.folder_scan import GONE


class WalkedFile(NamedTuple):
    """A file, or whatever is no folder.

    Args:
        path: below the folder; bytes that aren't UTF-8 are surrogates.
        kind: ``file``, ``link`` or ``special``.
        size: in bytes.
        mode: its permissions.
    """

    path: str
    kind: str
    size: int
    mode: int


class FolderWalk:
    """One walk through a folder; links are never followed.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self.structure: list[tuple[str, str, str | None]] = []
        """Path, kind and target of the folders and links that were passed: see ``Manifest.structure``."""
        self.unreadable: list[str] = []
        """The paths that can't be read, as their disk has errors."""

    def __iter__(self) -> Iterator[WalkedFile]:
        """Yield all but folders, in the order of ``path_order``.

        Raises:
            PermissionError: this user may not list one of the folders.
        """
        entered = [("", iter(self._names("")))]  # a stack, as folders may be nested deeper than calls
        while entered:
            folder, names = entered[-1]
            if not (name := next(names, "")):
                entered.pop()
            elif name.endswith("/"):
                self.structure.append(((folder + name)[:-1], "folder", None))
                entered.append((folder + name, iter(self._names(folder + name))))
            elif found := self._found(folder + name):
                yield found

    def _names(self, folder: str) -> list[str]:
        """Return the names in a folder in order; folders' end with a slash."""
        try:
            with os.scandir(self._joined(folder).rstrip(b"/")) as entries:
                names = sorted((one.name, one.is_dir(follow_symlinks=False)) for one in entries)
            return [_text(name) + "/" * is_folder for name, is_folder in names]
        except PermissionError:
            raise
        except OSError as error:
            self._note(folder.rstrip("/") or ".", error)
            return []

    def _found(self, path: str) -> WalkedFile | None:
        full = self._joined(path)
        try:
            status = os.lstat(full)
            if stat.S_ISLNK(status.st_mode):
                self.structure.append((path, "link", _text(os.readlink(full))))  # noqa: PTH115 - bytes
                return WalkedFile(path, "link", 0, 0)
        except PermissionError:
            raise
        except OSError as error:
            self._note(path, error)
            return None
        kind = "file" if stat.S_ISREG(status.st_mode) else "special"
        return WalkedFile(path, kind, status.st_size, stat.S_IMODE(status.st_mode))

    def _note(self, path: str, error: OSError) -> None:
        if error.errno not in GONE:
            self.unreadable.append(path)

    def _joined(self, path: str) -> bytes:
        return os.path.join(self._folder, path.encode("utf-8", "surrogateescape"))  # noqa: PTH118 - bytes


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
