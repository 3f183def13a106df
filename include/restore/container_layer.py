"""Folders that vanish with the container which the worker runs in."""

import os
from pathlib import Path

_LAYERED = ("overlay", "fuse.fuse-overlayfs")  # of Docker; of Podman without root's rights
_MOUNTS = Path("/proc/self/mountinfo")


def refusal(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return why nothing can be restored to a folder of this machine, or an empty text.

    Args:
        folder: the folder; it needn't exist.
        mounts: this process' mounts (proc_pid_mountinfo(5)).
    """
    if _root_type(mounts) not in _LAYERED:
        return ""
    # Not Path.exists, which raises where this process may not look.
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110
    if existing.stat().st_dev != Path("/").stat().st_dev:
        return ""
    return (
        f"{folder} is inside the worker's container, and would vanish with it. "
        "Restore to a folder that is mounted there, such as /backup/restored (RESTORE_PATH in .env)."
    )


def _root_type(mounts: Path) -> str:
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        place, _, source = line.partition(" - ")
        if place.split()[4] == "/":
            return source.split()[0]
    return ""
