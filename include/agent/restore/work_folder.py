"""The work folder of a restore: sockets and PID files of the NBD servers that write and read its disks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.agent.disks import exports
from include.agent.restore.request import RestoreRequest
from include.agent.state_folder import VmFolder


@contextmanager
def restore_work_folder(folder: VmFolder, restore: RestoreRequest) -> Iterator[Path]:
    """Yield a work folder, and remove it after the block; also remove those that dead restores left.

    The caller holds the restore's lock.
    """
    for left in folder.restore_folders():
        exports.end_processes(str(left))
        shutil.rmtree(left, ignore_errors=True)
    exports.end_marked(f".restoring-{restore.token}")
    work_folder = folder.make_restore_folder()
    try:
        yield work_folder
    finally:
        exports.end_processes(str(work_folder))
        shutil.rmtree(work_folder, ignore_errors=True)
