"""Move files into place, each in one step; an old file gets a second name first, and is kept."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from include.agent.durable_files import fsync
from include.agent.errors import NotRestoredError
from include.agent.restore.status import Move


def keep_old(move: Move) -> None:
    """Link the old file under its second name, and copy its owner, mode and labels to the new file."""
    if move.moved or not (move.old and os.path.lexists(move.place)):
        return
    _look_like(move.place, move.new)
    if os.path.lexists(move.old):
        return
    try:
        os.link(move.place, move.old)
    except OSError:  # a folder, or a file system without hard links: for a moment nothing is in place
        move.place.rename(move.old)
    fsync(move.place.parent)


def move_new(move: Move) -> None:
    """Move the new file into place, over nothing but a file that is kept.

    Raises:
        NotRestoredError: another file has appeared there.
    """
    if move.old:
        move.new.replace(move.place)
    else:
        _move_over_nothing(move)
    fsync(move.place.parent)


def remove_old(old: Path) -> None:
    """Remove an old file or folder that was kept."""
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
        return
    with suppress(FileNotFoundError):
        old.unlink()


def _look_like(old: Path, new: Path) -> None:
    found = old.stat()
    os.chown(new, found.st_uid, found.st_gid)
    new.chmod(found.st_mode & 0o777)
    with suppress(OSError):
        for name in os.listxattr(old):
            os.setxattr(new, name, os.getxattr(old, name))
    fsync(new)


def _move_over_nothing(move: Move) -> None:
    if move.new.is_dir():
        move.new.rename(move.place)  # fails over a folder that isn't empty
        return
    if not (os.path.lexists(move.place) and move.place.samefile(move.new)):
        try:
            os.link(move.new, move.place)
        except FileExistsError:
            raise NotRestoredError(f"{move.place} has appeared during the restore. Move it away.") from None
        except OSError:  # a file system without hard links
            move.new.rename(move.place)
            return
        fsync(move.place.parent)
    move.new.unlink()
