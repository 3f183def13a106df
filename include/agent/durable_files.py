"""Writing files and folders that a power cut can't take back: synced, and then their names.

What refers to another file is written after that one is synced; a file system may otherwise have the
reference on its disk, and what it refers to empty.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

_LEFT_S = 86_400  # after which a part is a killed process's; one is written in seconds
_LONGEST_BYTES = 200  # of a file's own name in its part's, which must not be longer than a name may be


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file as :func:`write_parts` does."""
    write_parts(path, [content], mode)


def write_parts(path: Path, parts: Iterable[bytes], mode: int = 0o666) -> None:
    """Write a file atomically and durably: after a crash it is complete or as it was.

    Args:
        path: the file.
        parts: its content.
        mode: of a new file, before the umask.
    """
    short = os.fsencode(path.name)[:_LONGEST_BYTES].decode(errors="ignore")
    part = path.with_name(f".{short}.{os.getpid()}")
    _remove_left(path.parent, f".{short}.", part)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise
    fsync(path.parent)


def _remove_left(folder: Path, beginning: str, own: Path) -> None:
    """Remove the parts of killed processes: of one with our number, and those that nobody can be writing."""
    with os.scandir(folder) as items:
        parts = [item.name for item in items if item.name.startswith(beginning)]
    for part in (folder / name for name in parts if name[len(beginning) :].isdecimal()):
        with suppress(FileNotFoundError):
            if part == own or part.lstat().st_mtime < time.time() - _LEFT_S:
                part.unlink()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object as :func:`write_whole` does."""
    write_whole(path, json.dumps(content).encode())


def make_folder(path: Path, mode: int) -> None:
    """Make a folder, and those above it, if they don't exist; their names are safe when this returns."""
    if path.is_dir():
        return
    if not path.parent.exists():
        make_folder(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    fsync(path.parent)


def fsync(path: Path) -> None:
    """Flush a file's content, or a folder's names, to the disk; not a folder's where that isn't possible."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        # CIFS of old kernels, for example, has no such call for folders: it can't be asked for more.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(opened)


def fsync_all(folder: Path) -> None:
    """Flush a folder and everything in it to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            fsync(Path(parent, name))
        fsync(Path(parent))
