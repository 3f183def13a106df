"""Names in the vault's folder of machines: of a machine or a disk, and of an instant."""

import os
import re
from datetime import UTC, datetime

from include.errors import BackupError
from include.names import checked, shown

_LONGEST_NAME = 200  # bytes; a file's name may have 255, and endings are added to it
WRITTEN = "%Y-%m-%dT%H-%M-%SZ"
_NAME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z")


def folder_name(name: str) -> str:
    """Give back a machine's or a disk's name, once it is known to be fit for a file's.

    Raises:
        BackupError: it's a path, hidden, or too long.
    """
    if "/" in name or name.startswith(".") or len(os.fsencode(name)) > _LONGEST_NAME:
        raise BackupError(f"{shown(name)} can't be a name in the vault: rename it (virsh domrename).")
    return checked(name)


def to_the_second(instant: datetime) -> datetime:
    """Give an instant as a generation's folder is named after it."""
    return instant.astimezone(UTC).replace(microsecond=0)


def instant_of(name: str) -> datetime | None:
    """Read the name of a generation's folder; None when it's none."""
    try:
        return datetime.strptime(name, WRITTEN).replace(tzinfo=UTC) if _NAME.fullmatch(name) else None
    except ValueError:
        return None
