"""The SHA-256 of each chunk of a disk to restore, in a file without a name: 512 MiB for a disk of 16 TiB."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from include.agent.disks.disk_program import require_space
from include.agent.wire import DIGEST_BYTES, Wire

_BLOCK = 1 << 15  # digests received at once


class DiskDigests:
    """The digests that the worker has sent of a disk.

    Args:
        file: the descriptor of a file with them, in order; it is closed with this object. The file's pages
            are the kernel's cache: they take no memory of this process.
    """

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def receive(cls, wire: Wire, count: int, folder: Path) -> DiskDigests:
        """Receive the digests of a disk.

        Args:
            wire: sends them.
            count: how many.
            folder: has their file, which goes with this process, however that ends.

        Raises:
            DiskProgramError: the folder's file system is nearly full.
            EOFError: the worker hung up.
        """
        with tempfile.TemporaryFile(dir=folder) as file:
            for start in range(0, count, _BLOCK):
                require_space(folder)
                file.write(wire.receive(min(_BLOCK, count - start) * DIGEST_BYTES))
            file.flush()
            return cls(os.dup(file.fileno()))

    def __del__(self) -> None:
        os.close(self._file)

    def __getitem__(self, index: int) -> bytes:
        return os.pread(self._file, DIGEST_BYTES, index * DIGEST_BYTES)
