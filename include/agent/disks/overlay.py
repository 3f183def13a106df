"""Restore a disk in place: write what differs to a QCOW2 overlay, then commit that to the disk.

So a disk whose old content isn't kept is restored without copying all of it. Overlay and disk together are
the restored disk at every moment, even if the commit was interrupted; until it begins, the disk alone is the
old one. Everything committed is read back from the disk before the overlay is removed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from include.agent.backup.scratch import usable_bytes
from include.agent.disks import exports
from include.agent.disks.nbd_client import Export, NbdError
from include.agent.disks.new_disk import drop_from_cache
from include.agent.durable_files import fsync
from include.agent.errors import BackupNotBegunError, NotPossibleError, NotRestoredError
from include.agent.restore.status import Move

_BLOCK_BYTES = 1 << 20


def require_space(overlay: Path) -> None:
    """Check that the disk's file has enough space to grow by all that the overlay contains.

    Raises:
        NotPossibleError: there isn't.
    """
    need, usable = overlay.stat().st_blocks * 512, usable_bytes(str(overlay.parent))
    if usable < need:
        raise NotPossibleError(
            f"{overlay.parent} has {usable / 1e9:.2f} GB free, and the disk may grow by {need / 1e9:.2f} GB. "
            "The VM wasn't touched. Free some space there, and try again."
        )


def commit(move: Move, work_folder: Path) -> None:
    """Commit an overlay to its disk, read that back, and remove the overlay. A second call resumes.

    Args:
        move: the disk and its overlay.
        work_folder: the folder for a socket.

    Raises:
        NotRestoredError: it can't be written, or the disk returns other data than was written.
    """
    _qemu_img("commit", "-q", "-d", "-f", "qcow2", "--", str(move.new))
    drop_from_cache(move.place)
    try:
        _require_equal(move, work_folder)
    except (NbdError, BackupNotBegunError) as unreadable:
        raise NotRestoredError(f"{move.place} can't be read back: {unreadable}") from unreadable
    move.new.unlink()
    fsync(move.new.parent)


def _require_equal(move: Move, work_folder: Path) -> None:
    disk = {"name": move.what, "format": _backing_format(move.new), "path": str(move.place)}
    [exported] = exports.start_nbd_servers([disk], work_folder)
    try:
        with Export(str(exported["socket"]), move.what) as export, move.new.open("rb") as overlay:
            for start, data in _overlay_blocks(move.new, overlay.fileno()):
                read = memoryview(bytearray(len(data)))
                export.read(start, read).result()
                if read != data:
                    raise NotRestoredError(
                        f"{move.place} was overwritten, but returns other data at byte {start:,} "
                        "than was written. Check that disk."
                    )
    finally:
        exports.end_processes(str(work_folder))


def _overlay_blocks(path: Path, overlay: int) -> Iterator[tuple[int, bytes]]:
    """Yield the overlay's data in blocks: the offset in the disk, and the bytes."""
    for extent in json.loads(_qemu_img("map", "--output=json", "-f", "qcow2", "--", str(path))):
        if extent["depth"]:
            continue  # the data is in the backing file, which is the disk
        for done in range(0, extent["length"], _BLOCK_BYTES):
            length = min(_BLOCK_BYTES, extent["length"] - done)
            zeros = extent["zero"] and not extent["data"]
            data = bytes(length) if zeros else os.pread(overlay, length, extent["offset"] + done)
            yield extent["start"] + done, data


def _backing_format(overlay: Path) -> str:
    return str(json.loads(_qemu_img("info", "--output=json", "--", str(overlay)))["backing-filename-format"])


def _qemu_img(*arguments: str) -> str:
    done = subprocess.run(
        ["qemu-img", *arguments], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise NotRestoredError(f"qemu-img {arguments[0]} failed: {' '.join(done.stderr.split())}")
    return done.stdout
