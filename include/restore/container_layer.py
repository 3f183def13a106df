"""Folders that vanish with the container which the worker runs in."""

from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")


def refusal(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return why nothing can be restored to a folder of this machine, or an empty text.

    Args:
        folder: the folder; it needn't exist.
        mounts: this process' mounts (proc_pid_mountinfo(5)).
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.stat().st_dev != Path("/").stat().st_dev or _root_type(mounts) != "overlay":
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
