"""What reading a backup found."""

from dataclasses import dataclass
from pathlib import Path

from include.names import named


@dataclass(frozen=True)
class ReadBackup:
    """What reading all of a backup found.

    Args:
        verification: what was compared with what, without a full stop; only meaningful without damage.
        damage: how it differs from what was published, as sentences; empty if it is intact.
        warnings: what isn't damage, but should be fixed, as sentences.
        files: the number of files read.
        bytes: their size.
    """

    verification: str = ""
    damage: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0


def missing(folder: Path) -> str:
    """Return the damage of a backup whose folder doesn't exist."""
    return f"The folder {folder} is missing."


def damaged(*sentences: str) -> ReadBackup:
    """Return the result for a backup that can't be compared at all."""
    return ReadBackup(damage=sentences)


def writable_warnings(writable: list[str]) -> tuple[str, ...]:
    """Return a warning about published files that aren't read-only; none if all are."""
    return (f"{named(writable)} should be read-only. Run chmod a-w.",) if writable else ()
