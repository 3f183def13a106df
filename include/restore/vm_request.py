"""The parameters of a restore of a VM."""

import os
import re
from contextlib import suppress
from typing import Literal

from include.errors import BackupError, RequestError
from include.models import Model
from include.names import shown
from include.vms.archive import folder_name
from include.vms.generation_name import LONGEST_NAME

_RESTORED = "-restored"
# What XML 1.0 can hold, without line ends: libvirt refuses those, and a slash, as the vault does, too.
_NAME = re.compile(r"[\t\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_UNFIT = (
    "{} can't be a VM's name. Choose one of at most {} bytes, without a slash or a line end, and not hidden "
    "by a dot at its start."
)


class VmRestoreRequest(Model):
    """Which VM to restore, and how.

    Args:
        vm: the VM's name in the vault.
        generation: its name, such as ``2026-11-22T05-00-03Z``; None for the newest undamaged one.
        host: the Airflow connection of the target host; None for the host that it was backed up from.
        how: ``beside``, as a new VM, or ``in place``, over the VM and its disks.
        new_name: beside: the new VM's name; None for the VM's name, cut if it's too long, and ``-restored``.
        folder: the folder for the disks on the host; None for their original folders.
        start: whether to start the VM afterwards.
        keep_old: in place: whether to keep the current disks, under other names.
        confirm: in place: the VM's name, typed again.
    """

    vm: str
    generation: str | None = None
    host: str | None = None
    how: Literal["beside", "in place"] = "beside"
    new_name: str | None = None
    folder: str | None = None
    start: bool = False
    keep_old: bool = True
    confirm: str | None = None

    @property
    def in_place(self) -> bool:
        """Whether the VM itself is restored, and not a new one beside it."""
        return self.how == "in place"

    @property
    def restored_name(self) -> str:
        """The name of the VM after the restore."""
        return self.vm if self.in_place else self.new_name or _restored_name(self.vm)

    def require_valid(self) -> None:
        """Check the names and the folder, and that a restore in place is confirmed.

        Raises:
            RequestError: a parameter is invalid, or the confirmation is missing.
        """
        folder_name(self.vm)
        if self.in_place and self.confirm != self.vm:
            typed = f"; {shown(self.confirm)} isn't it." if self.confirm else "."
            raise RequestError(
                f"A restore in place replaces {shown(self.vm)}. Type its name as 'confirm'{typed}"
            )
        if not self.in_place and self.restored_name == self.vm:
            raise RequestError(f"A VM beside {self.vm} needs another name. Set new_name.")
        if not self.in_place:
            require_vm_name(self.restored_name)
        if self.folder is not None:
            require_plain_folder(self.folder)


def _restored_name(vm: str) -> str:
    longest = LONGEST_NAME - len(_RESTORED)
    return os.fsencode(vm)[:longest].decode(errors="ignore") + _RESTORED


def require_vm_name(name: str) -> None:
    """Check that libvirt and the vault can both have a VM of a name.

    Raises:
        RequestError: one of them can't.
    """
    fits = bool(name.strip() and _NAME.fullmatch(name))
    with suppress(BackupError, UnicodeError):
        if fits and folder_name(name):
            return
    raise RequestError(_UNFIT.format(shown(name), LONGEST_NAME))


def require_plain_folder(folder: str) -> None:
    """Check that a folder is an absolute path without ``.`` and ``..``.

    Raises:
        RequestError: it isn't.
    """
    if not _is_plain(folder):
        raise RequestError(f"{shown(folder)} isn't a plain absolute path. Use one such as /vms/restored.")


def _is_plain(folder: str) -> bool:
    parts = folder.split("/")
    return parts[0] == "" and len(parts) > 1 and not {"", ".", ".."} & set(parts[1:]) and "\0" not in folder
