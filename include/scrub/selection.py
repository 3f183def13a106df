"""Select backups by the names that a person typed."""

import re
from collections.abc import Sequence

from include.errors import NotInVaultError
from include.names import named
from include.scrub.backups import Backup

_INSTANT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z")


def select(backups: Sequence[Backup], words: Sequence[str]) -> list[Backup]:
    """Return the backups that are named, in the order of ``backups``; all of them if none is named.

    A name may be two words: a VM's, and the instant of one of its generations.

    Raises:
        NotInVaultError: the vault has no backup of that name.
    """
    names = list[str]()
    for word in words:
        if names and _INSTANT.fullmatch(word) and not _INSTANT.fullmatch(names[-1].rpartition(" ")[2]):
            names[-1] += f" {word}"
        else:
            names.append(word)
    found = {name: [one for one in backups if name in one.names] for name in names}
    if unknown := [name for name, matches in found.items() if not matches]:
        message = f"The vault has no backup {named(unknown)}. To list all: inpe-backup list"
        raise NotInVaultError(message, about=named(unknown))
    selected = {backup for matches in found.values() for backup in matches}
    return [backup for backup in backups if backup in selected or not names]
