"""Free space of the vault's file system, checked before anything is written."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from include.errors import NoSpaceError, VaultError
from include.text import size


class SpaceNeed(NamedTuple):
    """What a backup will use: bytes, and files and folders."""

    name: str
    bytes: int
    files: int


@dataclass(frozen=True)
class FreeSpace:
    """The size and the free space of a file system, in bytes and in files."""

    path: Path
    total_bytes: int
    free_bytes: int
    free_files: int

    @classmethod
    def of(cls, path: Path) -> "FreeSpace":
        """Return the space that the current user may still use below a folder."""
        stats = os.statvfs(path)
        # File systems without a fixed number of files (btrfs) report a total of 0.
        files = stats.f_favail if stats.f_files else 2**63
        return cls(path, stats.f_blocks * stats.f_frsize, stats.f_bavail * stats.f_frsize, files)

    def refusals(self, needs: Iterable[SpaceNeed], reserve_bytes: int) -> dict[str, str]:
        """Allot the space to some backups, in their order; return why each that doesn't fit is refused."""
        refused, taken_bytes, taken_files = dict[str, str](), 0, 0
        for need in needs:
            if not (need.bytes or need.files):
                continue  # it's in the vault already, however little is free
            try:
                self.require(need.bytes, need.files + taken_files, reserve_bytes, taken_bytes)
            except NoSpaceError as error:
                refused[need.name] = str(error)
            else:
                taken_bytes, taken_files = taken_bytes + need.bytes, taken_files + need.files
        return refused

    def require(self, need_bytes: int, need_files: int, reserve_bytes: int, taken_bytes: int = 0) -> None:
        """Check that a backup fits and leaves the reserve free.

        Args:
            need_bytes: what the backup will use.
            need_files: files and folders that it will create.
            reserve_bytes: what must stay free.
            taken_bytes: what others of the run will use.

        Raises:
            NoSpaceError: it doesn't fit; the message says how much it's short.
        """
        missing = need_bytes + taken_bytes + reserve_bytes - self.free_bytes
        others = f", {size(taken_bytes)} for others of this run" if taken_bytes else ""
        needed = f"{size(need_bytes)} for the copy{others} and {size(reserve_bytes)} in reserve"
        if missing > 0:
            raise NoSpaceError(
                f"{self.path} needs {needed}, and has {size(self.free_bytes)} free: {size(missing)} short. "
                "Nothing of it was copied. Add space, or lower vaults.main.reserve in the site file."
            )
        if need_files > self.free_files:
            raise NoSpaceError(
                f"{self.path} has no space for {need_files:,} more files and folders, only for "
                f"{self.free_files:,}. Nothing of it was copied. Add space."
            )


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Convert errors of the vault's disk in the block.

    Raises:
        NoSpaceError: the disk filled up.
        VaultError: the disk is read-only, or denies writing.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(f"The vault {root} is full. Add space and clear the task.") from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise VaultError(f"The vault {root} can't be written: {error}.") from error
        raise
