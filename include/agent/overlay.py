"""What differs from a disk, kept beside it as a QCOW2 overlay, and written over it in the end.

So a disk whose old content nobody wants is restored without a copy of all of it. Overlay and disk together
are the restored disk at every moment, also where the writing over was cut off; until it began, the disk alone
is the old one. Whatever is written over is read back from the disk before the overlay goes.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import exports
from .errors import NotFrozenError, NotPossibleError, NotRestoredError
from .folder import sync_folder
from .nbd import Export, NbdError
from .new_disk import out_of_the_cache
from .scratch import usable_bytes
from .standing import Piece

_BLOCK_BYTES = 1 << 20


def require_room(overlay: Path) -> None:
    """See that a disk's file has room to grow by all that is to be written over its holes.

    Raises:
        NotPossibleError: it hasn't.
    """
    need, usable = overlay.stat().st_blocks * 512, usable_bytes(str(overlay.parent))
    if usable < need:
        raise NotPossibleError(
            f"{overlay.parent} has {usable / 1e9:.2f} GB free, and the disk may grow by {need / 1e9:.2f} GB. "
            "The machine wasn't touched. Make room, and run it again."
        )


def write_over(piece: Piece, room: Path) -> None:
    """Write an overlay over its disk, read that back, and remove the overlay; a second call goes on.

    Args:
        piece: whose.
        room: for a socket.

    Raises:
        NotRestoredError: it can't be written there, or the disk gives back something else.
    """
    _qemu_img("commit", "-q", "-d", "-f", "qcow2", "--", str(piece.new))
    out_of_the_cache(piece.place)
    try:
        _require_equal(piece, room)
    except (NbdError, NotFrozenError) as unreadable:
        raise NotRestoredError(f"{piece.place} can't be read back: {unreadable}") from unreadable
    piece.new.unlink()
    sync_folder(piece.new.parent)


def _require_equal(piece: Piece, room: Path) -> None:
    disk = {"name": piece.what, "format": _format_below(piece.new), "path": str(piece.place)}
    [served] = exports.serve_files([disk], room)
    try:
        with Export(str(served["socket"]), piece.what) as export, piece.new.open("rb") as overlay:
            for start, data in _written(piece.new, overlay.fileno()):
                there = memoryview(bytearray(len(data)))
                export.read(start, there).result()
                if there != data:
                    raise NotRestoredError(
                        f"{piece.place} was written over, and its disk gives back something else at byte "
                        f"{start:,}. Check that disk."
                    )
    finally:
        exports.end_processes(str(room))


def _written(path: Path, overlay: int) -> Iterator[tuple[int, bytes]]:
    """Give what an overlay holds, a block at a time: where it goes, and the bytes."""
    for extent in json.loads(_qemu_img("map", "--output=json", "-f", "qcow2", "--", str(path))):
        if extent["depth"]:
            continue  # of the disk below
        for done in range(0, extent["length"], _BLOCK_BYTES):
            length = min(_BLOCK_BYTES, extent["length"] - done)
            zeros = extent["zero"] and not extent["data"]
            data = bytes(length) if zeros else os.pread(overlay, length, extent["offset"] + done)
            yield extent["start"] + done, data


def _format_below(overlay: Path) -> str:
    return str(json.loads(_qemu_img("info", "--output=json", "--", str(overlay)))["backing-filename-format"])


def _qemu_img(*words: str) -> str:
    done = subprocess.run(["qemu-img", *words], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise NotRestoredError(f"qemu-img {words[0]} failed: {' '.join(done.stderr.split())}")
    return done.stdout
