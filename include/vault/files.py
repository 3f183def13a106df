"""Writing to the vault's disk: read-only modes, flushing; ``agent/durable_files.py`` writes single files."""

import subprocess
from pathlib import Path

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
