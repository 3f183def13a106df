"""Names from outside: the one way by which they become part of a path, or of a sentence."""

import os
from urllib.parse import quote

from include.errors import BackupError
from include.wording import visible


def checked(path: str) -> str:
    """Give back a relative path from outside, once it is known to stay below the folder it is joined to.

    Raises:
        BackupError: an absolute path, or a part that is empty, ``.``, ``..`` or holds a NUL.
    """
    if any(part in ("", ".", "..") or "\0" in part for part in path.split("/")):
        raise BackupError(f"{shown(path)} came from outside as a path and leads out of its folder: refused.")
    return path


def encoded(name: str) -> str:
    """Give a name from outside, whatever it holds, as plain ASCII without a slash: percent-encoded."""
    return quote(os.fsencode(name), safe="")


def shown(name: str) -> str:
    r"""Give a name from outside as it can stand in a sentence: quoted, with every odd byte visible."""
    return "'" + visible(name).replace("'", "\\'") + "'"
