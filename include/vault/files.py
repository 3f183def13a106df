"""Writing to the vault's disk: atomic files, read-only modes, flushing."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from include.errors import VaultError

FILE_MODE, FOLDER_MODE = 0o444, 0o555


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file atomically: it exists complete or not at all."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def sync(folder: Path) -> None:
    """Flush the folder's whole file system (syncfs(2)): one call instead of an fsync for each file.

    Raises:
        VaultError: the disk reports an error.
    """
    done = subprocess.run(["sync", "--file-system", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise VaultError(f"The vault can't be written to its disk: {done.stderr.strip()}")
