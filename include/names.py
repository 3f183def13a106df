"""Names from outside, made safe to use in a path or in a message; all of them go through here."""

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import quote

from include.errors import BackupError
from include.text import visible


def checked(path: str) -> str:
    """Return a relative path from outside unchanged if it stays below the folder that it is joined to.

    Raises:
        BackupError: the path is absolute, or has a part that is empty, ``.``, ``..`` or contains a NUL.
    """
    if any(part in ("", ".", "..") or "\0" in part for part in path.split("/")):
        raise BackupError(f"The path {shown(path)} leads out of its folder. It was refused.")
    return path


def encoded(name: str) -> str:
    """Percent-encode a name from outside: plain ASCII without a slash."""
    return quote(os.fsencode(name), safe="")


def shown(name: str) -> str:
    r"""Quote a name from outside for a message, with every unprintable byte escaped."""
    return "'" + visible(name).replace("'", "\\'") + "'"


def matches(name: str, pattern: str) -> bool:
    """Return whether a shell pattern matches a name; a name such as ``web[1]`` also matches itself."""
    return name == pattern or fnmatchcase(name, pattern)


def named(paths: Iterable[str], most: int = 3) -> str:
    """Quote the first paths and count the rest, for a message: ``'a', 'b', 'c' and 4 more``."""
    names = Names(most)
    for path in paths:
        names.add(path)
    return str(names)


def path_order(path: str) -> bytes:
    """Return what the paths of a folder are sorted by: a folder comes before what is in it."""
    return path.encode("utf-8", "surrogateescape").replace(b"/", b"\0")


class Names:
    """The first of many names from outside, and their number; as text, for a message.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int = 3) -> None:
        self.first: list[str] = []
        self.count = 0
        self._most = most

    def add(self, name: str) -> None:
        """Count a name, and keep it if it is among the first."""
        self.count += 1
        if self.count <= self._most:
            self.first.append(name)

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return self.count > 0

    def __str__(self) -> str:
        """Return the first, quoted, and the number of the others."""
        rest = f" and {self.count - len(self.first)} more" if self.count > len(self.first) else ""
        return ", ".join(map(shown, self.first)) + rest
