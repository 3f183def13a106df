"""Room on the vault's file system, known before anything is touched."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.errors import NoSpaceError, VaultError
from include.wording import size


@dataclass(frozen=True)
class Room:
    """What a file system has, in bytes and in files."""

    path: Path
    total_bytes: int
    free_bytes: int
    free_files: int

    @classmethod
    def of(cls, path: Path) -> "Room":
        """Measure what the current user may still write below a folder."""
        seen = os.statvfs(path)
        # File systems without a fixed number of files (btrfs) say that they have none at all.
        files = seen.f_favail if seen.f_files else 2**63
        return cls(path, seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize, files)

    def require(self, need_bytes: int, need_files: int, reserve_bytes: int) -> None:
        """Insist on room for a backup, with the reserve left over.

        Raises:
            NoSpaceError: says how much is missing.
        """
        lacking = need_bytes + reserve_bytes - self.free_bytes
        if lacking > 0:
            raise NoSpaceError(
                f"{self.path} needs {size(need_bytes)} for the copy and {size(reserve_bytes)} in reserve, "
                f"and has {size(self.free_bytes)} free: {size(lacking)} ({lacking:,} bytes) are missing. "
                "Nothing was copied. Add space, or lower vault.reserve in the site file."
            )
        if need_files > self.free_files:
            raise NoSpaceError(
                f"{self.path} needs room for {need_files:,} more files and folders and has it for "
                f"{self.free_files:,}. Nothing was copied. Add space."
            )


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Say what the vault's disk refuses in a block.

    Raises:
        NoSpaceError: it filled up.
        VaultError: it can't be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(f"The vault {root} is full. Add space and clear the task.") from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise VaultError(f"The vault {root} can't be written: {error}.") from error
        raise
