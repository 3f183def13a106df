"""What somebody asks for who wants a machine back."""

import re
from typing import Literal

from include.errors import ConfigError
from include.facts import Facts
from include.machines.generation import folder_name
from include.names import shown

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")


class MachineWish(Facts):
    """A machine that is wanted back.

    Args:
        machine: its name in the vault.
        generation: the name of one, such as ``2026-11-22T05-00-03Z``; None: the newest good one.
        host: the Airflow connection of the host that it goes to; None: the one that it came from.
        how: ``beside``: as a new machine; ``in place``: as what it was, over its old disks.
        new_name: what the new one is called; None: the machine's name and ``-restored``.
        folder: where its disks go, on the host; None: where they were.
        start: whether it's started.
        keep_old: whether the disks that it has now are kept aside; in place.
        confirm: the machine's name, typed once more; in place.
    """

    machine: str
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
        """Whether it becomes what it was."""
        return self.how == "in place"

    @property
    def becomes(self) -> str:
        """The name of the machine that it becomes."""
        return self.machine if self.in_place else self.new_name or f"{self.machine}-restored"

    def require_in_order(self) -> None:
        """See that nobody is asked for what he can't mean.

        Raises:
            ConfigError: something in it can't be, or isn't confirmed.
        """
        folder_name(self.machine)
        if self.in_place and self.confirm != self.machine:
            raise ConfigError(
                f"In place, {shown(self.machine)} gives way to what it was. Type its name as 'confirm'; "
                f"{shown(self.confirm or '')} isn't it."
            )
        if not self.in_place and self.becomes == self.machine:
            raise ConfigError(f"Beside itself, {self.machine} needs another name. Give it a new_name.")
        if not self.in_place and not _NAME.fullmatch(self.becomes):
            raise ConfigError(
                f"{shown(self.becomes)} can't be a machine's name: letters, digits, . _ + and -."
            )
        if self.folder is not None and not _is_plain(self.folder):
            raise ConfigError(f"{shown(self.folder)} is no absolute path without detours.")


def _is_plain(folder: str) -> bool:
    parts = folder.split("/")
    return parts[0] == "" and len(parts) > 1 and not {"", ".", ".."} & set(parts[1:]) and "\0" not in folder
