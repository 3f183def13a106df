"""The vault: a marked folder and its locks.

    <vault>/.inpe-vault.json    the marker; without it nothing is read, written or removed
    <vault>/.lock               shared by copies, exclusive for removals
    <vault>/.staging/           work in progress, on the same file system; doesn't count as a backup

``days/archive.py`` knows the paths of its days, ``vms/archive.py`` those of its VMs.
"""

import errno
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from include.agent.durable_files import make_folder, write_whole
from include.errors import VaultError, VaultUnmarkedError
from include.vault import file_system
from include.vault.free_space import disk_errors
from include.vault.locks import locked, locked_existing

MARKER = ".inpe-vault.json"


@dataclass(frozen=True)
class Vault:
    """A marked folder of backups. Open one with :meth:`open`."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> Self:
        """Open a vault.

        Raises:
            VaultUnmarkedError: the folder has no marker, for example because its disk isn't mounted.
        """
        if not (root / MARKER).is_file():
            raise VaultUnmarkedError(
                f"{root} holds no vault marker ({MARKER}). Is its disk mounted? "
                f"Only on a new, empty disk, create a vault, once: bin/inpe-backup init {root}"
            )
        return cls(root)

    @classmethod
    def create(cls, root: Path) -> Self:
        """Mark an empty folder as a vault; create the folder if it's missing.

        Raises:
            VaultError: the folder is a vault already or isn't empty, or its file system can't hold a vault.
        """
        make_folder(root, 0o777)
        if (root / MARKER).is_file():
            raise VaultError(f"{root} is a vault already. It needs no init; nothing was changed.")
        if any(name != "lost+found" for name in os.listdir(root)):  # noqa: PTH208 - names, not paths
            raise VaultError(f"{root} isn't empty. Name an empty folder for the new vault.")
        file_system.limits(root)
        marker = {"vault": str(uuid.uuid4()), "created": datetime.now(UTC).isoformat(timespec="seconds")}
        write_whole(root / MARKER, json.dumps(marker).encode() + b"\n")
        return cls(root)

    @property
    def id(self) -> str:
        """The UUID of this vault, the same wherever it's mounted.

        Raises:
            VaultError: the marker can't be read.
        """
        marker = self.root / MARKER
        try:
            return str(json.loads(marker.read_bytes())["vault"])
        except (OSError, ValueError, KeyError, TypeError) as damaged:
            raise VaultError(f"The vault's marker {marker} can't be read: {damaged!r}") from damaged

    @contextmanager
    def lock_staging(self, data: Path, who: str) -> Iterator[None]:
        """Lock one staging folder during the block, and keep removals out of the vault.

        These are kernel locks: they end with the process, however it ends.

        Args:
            data: the folder of the copy; its parent below ``.staging`` is what is locked.
            who: the day or VM that needs the lock, for the message.

        Raises:
            RescheduleError: another run has it locked, or something is being removed.
            NoSpaceError: the file system filled up.
            VaultError: the vault can't be written, or its staging leads out of it through a link.
        """
        if data.resolve() != self.root.resolve() / data.relative_to(self.root):
            raise VaultError(f"{data} leads out of the vault through a link. Remove the link.")
        with (
            disk_errors(self.root),
            locked(self.root / ".lock", fcntl.LOCK_SH, who),
            locked(data.parent, fcntl.LOCK_EX, who),
        ):
            try:
                yield
            finally:
                with suppress(OSError):  # removes an empty folder; what is staged stays
                    data.parent.rmdir()

    @contextmanager
    def lock_vault(self, who: str) -> Iterator[None]:
        """Lock the whole vault during the block: nothing is copied meanwhile.

        Args:
            who: the task that needs the lock, for the message.

        Raises:
            RescheduleError: something is being copied or removed.
            VaultError: the vault can't be written.
        """
        with disk_errors(self.root), locked(self.root / ".lock", fcntl.LOCK_EX, who):
            yield

    @contextmanager
    def lock_published(self, folder: Path, who: str) -> Iterator[None]:
        """Keep one published backup from being removed during the block; everything else may go on.

        A scrub reads for hours, and nobody should have to wait that long.

        Args:
            folder: the backup.
            who: the backup's name, for the message.

        Raises:
            RescheduleError: the backup is being removed.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(locked_existing(folder, fcntl.LOCK_SH, who))
            except OSError as error:  # missing or unreadable: reading it will report that
                if error.errno not in (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ELOOP):
                    raise
            yield
