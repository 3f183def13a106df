"""What reading a backup found."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReadBackup:
    """What reading all of a backup found.

    Args:
        verification: what was compared with what, without a full stop; only meaningful without damage.
        damage: how it differs from what was published, as sentences; empty if it is intact.
        warnings: what isn't damage, but should be fixed, as sentences.
        files: the number of files read.
        bytes: their size.
        unknown: why a part of it couldn't be checked, as a sentence; empty if all was.
    """

    verification: str = ""
    damage: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0
    unknown: str = ""


def is_there(folder: Path) -> bool:
    """Return whether a backup's folder exists, and is no link to one that the vault doesn't protect."""
    return folder.is_dir() and not folder.is_symlink()


def missing(folder: Path) -> str:
    """Return the damage of a backup whose folder isn't there."""
    if folder.is_symlink():
        return f"The folder {folder} is replaced by a link."
    return f"The folder {folder} is missing."


def damaged(*sentences: str) -> ReadBackup:
    """Return the result for a backup that can't be compared at all."""
    return ReadBackup(damage=sentences)
