"""Files on the vault's disk: read-only modes, flushing, reading; ``agent/durable_files.py`` writes them."""

import errno
import os
import stat
import subprocess
from pathlib import Path
from typing import BinaryIO

from include.errors import VaultError

FILE_MODE, FOLDER_MODE = 0o444, 0o555


def sync(folder: Path) -> None:
    """Flush the folder's whole file system (syncfs(2)): one call instead of an fsync for each file.

    Raises:
        VaultError: the disk reports an error.
    """
    done = subprocess.run(["sync", "--file-system", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise VaultError(f"{folder} can't be written to its disk: {done.stderr.strip()}")


def opened(path: Path) -> BinaryIO:
    """Open a regular file for reading; never follow a link to one, or wait for the writer of a FIFO.

    Raises:
        OSError: it can't be read, or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise _not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return os.fdopen(descriptor, "rb")


def read_whole(path: Path) -> bytes:
    """Read a regular file as :func:`opened` opens it.

    Raises:
        OSError: it can't be read, or is no regular file.
    """
    with opened(path) as file:
        return file.read()


def _not_regular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "It is no regular file", str(path))
