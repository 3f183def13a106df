"""Names in the vault's folder of VMs: those of VMs and disks, and those of generations."""

import os
import re
from datetime import UTC, datetime

from include.errors import BackupError
from include.names import checked, shown

LONGEST_NAME = 200  # bytes; a file name may have 255, and suffixes are added
WRITTEN = "%Y-%m-%dT%H-%M-%SZ"
_NAME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z")


def folder_name(name: str) -> str:
    """Return the name of a VM or a disk unchanged if it is a valid file name.

    Raises:
        BackupError: it is a path, hidden, or too long.
    """
    if "/" in name or name.startswith(".") or len(os.fsencode(name)) > LONGEST_NAME:
        raise BackupError(f"{shown(name)} can't be a name in the vault. Rename it (virsh domrename).")
    return checked(name)


def to_the_second(instant: datetime) -> datetime:
    """Return an instant in UTC without fractions of a second, as folders are named."""
    return instant.astimezone(UTC).replace(microsecond=0)


def generation_name(instant: datetime) -> str:
    """Return the name of a generation's folder: its instant, to the second, in UTC."""
    return instant.astimezone(UTC).strftime(WRITTEN)


def instant_of(name: str) -> datetime | None:
    """Parse the name of a generation's folder; return None for any other name."""
    try:
        return datetime.strptime(name, WRITTEN).replace(tzinfo=UTC) if _NAME.fullmatch(name) else None
    except ValueError:
        return None
