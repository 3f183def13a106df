"""What reading a backup gave."""

from dataclasses import dataclass
from pathlib import Path

from include.listing import named


@dataclass(frozen=True)
class Seen:
    """What reading all of a backup gave.

    Args:
        proof: what was held against what, as a sentence; counts only where nothing is wrong.
        wrong: what isn't as it was published, as sentences; none: it's whole.
        oddities: what is no damage, and should be mended all the same.
        files: how many were read.
        bytes: what they hold.
    """

    proof: str = ""
    wrong: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0


def missing(folder: Path) -> str:
    """Say of a backup that its folder isn't there."""
    return f"The folder {folder} is missing."


def damaged(*sentences: str) -> Seen:
    """Give what there is to say of a backup of which nothing can be compared."""
    return Seen(wrong=sentences)


def oddities_of(writable: list[str]) -> tuple[str, ...]:
    """Say what should be read-only and isn't."""
    return (f"{named(writable)} can be written: chmod a-w.",) if writable else ()
