"""What a VM has and its image hasn't: a CD-ROM, a shared folder, a device of its host, unsaved firmware."""

from collections.abc import Sequence
from typing import Literal

from include.models import Model

Kind = Literal[
    "cdrom", "floppy", "share", "pci", "usb", "mdev", "host_device", "memory", "shared_memory", "smartcard",
    "pstore", "boot_file", "qemu_option", "nvram", "tpm", "tpm_key", "snapshots",
]  # fmt: skip
"""The kinds, as the agent has them (``include/agent/left_out.py``)."""

_NAMES: dict[Kind, str] = {
    "cdrom": "CD-ROM",
    "floppy": "floppy",
    "share": "shared folder",
    "pci": "PCI device of the host",
    "usb": "USB device of the host",
    "mdev": "mediated device of the host",
    "host_device": "device of the host",
    "memory": "persistent memory",
    "shared_memory": "shared memory",
    "smartcard": "smart card of the host",
    "pstore": "crash log (pstore)",
    "boot_file": "boot file",
    "qemu_option": "QEMU option",
    "nvram": "UEFI variables (NVRAM)",
    "tpm": "TPM state",
    "tpm_key": "key of its TPM",
    "snapshots": "internal snapshots",
}


class LeftOut(Model):
    """One thing that a VM has and its image hasn't.

    Args:
        kind: what it is.
        name: what the guest or libvirt calls it, such as ``hda``; may be empty.
        where: its path or address on the host or the network; may be empty.
        reason: why, as sentences, where the kind alone doesn't say it.
    """

    kind: Kind
    name: str = ""
    where: str = ""
    reason: str = ""

    @property
    def phrase(self) -> str:
        """It as a phrase: ``CD-ROM hda (/isos/a.iso)``."""
        place = f"({self.where})" if self.where else ""
        return " ".join(filter(None, [_NAMES[self.kind], self.name, place]))

    @property
    def description(self) -> str:
        """It as a phrase, and why it is left out: ``TPM state (/dev/tpm0). It is the host's own.``."""
        return f"{self.phrase}. {self.reason}".rstrip()


def not_restored(left_out: Sequence[LeftOut]) -> list[str]:
    """Return a warning for a restore: what the VM had that it doesn't bring back; none without that."""
    phrases = "; ".join(one.phrase for one in left_out)
    return [f"Not in the image, so not restored: {phrases}."] if phrases else []
