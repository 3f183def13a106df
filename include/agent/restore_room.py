"""The room of a restore: sockets and process numbers of the servers by which disks are written and read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import exports
from .folder import MachineFolder
from .restoring import Restore


@contextmanager
def restore_room(folder: MachineFolder, restore: Restore) -> Iterator[Path]:
    """Give a room to who holds the restore; what dead ones left goes, and what is in it afterwards."""
    for left in folder.restore_rooms():
        exports.end_processes(str(left))
        shutil.rmtree(left, ignore_errors=True)
    exports.end_marked(f".restoring-{restore.token}")
    room = folder.make_restore_room()
    try:
        yield room
    finally:
        exports.end_processes(str(room))
        shutil.rmtree(room, ignore_errors=True)
