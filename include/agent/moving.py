"""Files that get to their places, one move each: what is there gets a second name first, and is kept."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from .errors import NotRestoredError
from .folder import sync_folder
from .standing import Piece


def keep(piece: Piece) -> None:
    """Give what is at a place its second name, and the new one its owner, mode and labels."""
    if piece.moved or not (piece.kept and os.path.lexists(piece.place)):
        return
    _look_like(piece.place, piece.new)
    if os.path.lexists(piece.kept):
        return
    try:
        os.link(piece.place, piece.kept)
    except OSError:  # a folder, or a file system without links: for a moment the place is empty
        piece.place.rename(piece.kept)
    sync_folder(piece.place.parent)


def move(piece: Piece) -> None:
    """Move the new one to its place: over what is kept, and never over anything else.

    Raises:
        NotRestoredError: somebody has made something there.
    """
    if piece.kept:
        piece.new.replace(piece.place)
    else:
        _move_where_nothing_is(piece)
    sync_folder(piece.place.parent)


def remove(kept: Path) -> None:
    """Remove what was kept."""
    if kept.is_dir() and not kept.is_symlink():
        shutil.rmtree(kept)
        return
    with suppress(FileNotFoundError):
        kept.unlink()


def _look_like(old: Path, new: Path) -> None:
    found = old.stat()
    os.chown(new, found.st_uid, found.st_gid)
    new.chmod(found.st_mode & 0o7777)
    with suppress(OSError):
        for name in os.listxattr(old):
            os.setxattr(new, name, os.getxattr(old, name))


def _move_where_nothing_is(piece: Piece) -> None:
    if piece.new.is_dir():
        piece.new.rename(piece.place)  # fails where there is a folder that holds something
        return
    if not (os.path.lexists(piece.place) and piece.place.samefile(piece.new)):
        try:
            os.link(piece.new, piece.place)
        except FileExistsError:
            raise NotRestoredError(f"Meanwhile somebody made {piece.place}. Move it away.") from None
        except OSError:  # a file system without links
            piece.new.rename(piece.place)
            return
    piece.new.unlink()
