"""What is known of the disks of a restore, and for how long: until anything else may have written to them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent.durable_files import write_json
from include.agent.restore.disk_place import DiskPlace
from include.agent.state_folder import VmFolder, read_json

_FILE = "verified.json"
_SECTORS_WRITTEN = 6  # in a block device's statistics (Linux, Documentation/block/stat.rst)


class VerifiedDisks:
    """The disks that a restore has verified, in a file that outlives this process.

    Args:
        folder: the VM's folder.
        token: the restore's token.
    """

    def __init__(self, folder: VmFolder, token: str) -> None:
        self._folder = folder
        self._token = token

    def remove(self, target: DiskPlace) -> None:
        """Forget that a disk was verified."""
        verified = verified_disks(self._folder, self._token)
        verified.pop(target.disk.name, None)
        self._write(verified)

    def add(self, target: DiskPlace, state: list[int]) -> None:
        """Note that a disk is verified as it was in a state, a :func:`fingerprint`."""
        verified = verified_disks(self._folder, self._token)
        self._write({**verified, target.disk.name: state})

    def _write(self, disks: dict[str, Any]) -> None:
        write_json(self._folder.restore / _FILE, {"token": self._token, "disks": disks})


class ComparedDisks:
    """Whether what was read of a disk still holds.

    Args:
        targets: all disks of the restore.
    """

    def __init__(self, targets: list[DiskPlace]) -> None:
        self._targets = targets
        self._seen: dict[str, list[int]] = {}

    def seen(self, target: DiskPlace) -> None:
        """Note that a disk was read, or that its changes are known."""
        self._seen[target.disk.name] = fingerprint(target)

    def state(self, target: DiskPlace) -> list[int]:
        """Return the fingerprint of a disk as it was seen last."""
        return self._seen[target.disk.name]

    def written(self, target: DiskPlace) -> None:
        """Note that a disk was written; another block device may share its blocks, as partitions do."""
        self.seen(target)
        for other in self._targets:
            if target.device and other.device and other != target:
                self._seen.pop(other.disk.name, None)

    def changed(self, target: DiskPlace) -> bool:
        """Return whether anything else may have written to a disk since it was seen."""
        return self._seen.get(target.disk.name) != fingerprint(target)


def verified_disks(folder: VmFolder, token: str) -> dict[str, Any]:
    """Return the fingerprint of each disk that a restore has verified, by the disk's name."""
    found = read_json(folder.restore / _FILE)
    return dict(found.get("disks", {})) if found.get("token") == token else {}


def fingerprint(target: DiskPlace) -> list[int]:
    """Return what changes when a disk is written.

    That is the inode, size and mtime of each of its files, or how much was written to a block device.
    """
    files = [target.new, target.place] if target.overlay else [target.new]
    found = [path.stat() for path in files]
    written = [_sectors_written(status.st_rdev) for status in found] if target.device else []
    return written + [
        number for status in found for number in (status.st_ino, status.st_size, status.st_mtime_ns)
    ]


def _sectors_written(device: int) -> int:
    statistics = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    with suppress(OSError, ValueError, IndexError):
        return int(statistics.read_text(encoding="ascii").split()[_SECTORS_WRITTEN])
    return 0
