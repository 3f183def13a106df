"""The places that a restore writes: each for one disk, and none that another VM or the host itself uses."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent.disks.image_info import files_below
from include.agent.errors import LibvirtError, NotPossibleError
from include.agent.restore.host_vms import HostVms, identities
from include.agent.restore.request import RestoreRequest

_OF_OTHERS = {
    "a disk": "is a disk of {vms}. Nothing was changed. Choose another folder or name.",
    "a backing file": "is a backing file of {vms}, whose disks it would change. Nothing was changed. Restore "
    "under a new name, or into another folder.",
    "a boot file": "is firmware or a kernel of {vms}. Nothing was changed. Choose another folder or name.",
}


def check_apart(written: Mapping[str, Path], restore: RestoreRequest) -> None:
    """Check that no two of a restore's files are one, by their paths, by links or by mounts.

    Args:
        written: the path of each file, by its name, such as ``vda`` or ``nvram.fd``.
        restore: the request.

    Raises:
        NotPossibleError: two are one.
    """
    owners: dict[Any, str] = {}
    for name, path in written.items():
        for identity in {*identities(path), *identities(restore.new(path.resolve()))}:
            if (other := owners.setdefault(identity, name)) != name:
                raise NotPossibleError(
                    f"{other} and {name} would both be written to {path}. Nothing was changed. Restore it "
                    "under a new name, or without naming a folder."
                )


def check_unused(written: Mapping[str, Path], vms: HostVms, uuid: str) -> None:
    """Check that no other VM of the host uses a file that a restore writes, nor has its disks on top of it.

    Args:
        written: the path of each file, by its name.
        vms: the VMs of the host.
        uuid: the UUID of the restored VM.

    Raises:
        NotPossibleError: another VM uses one; the message names all that do.
    """
    users = vms.users(but=uuid)
    for path in written.values():
        found: dict[str, set[str]] = {}
        for identity in identities(path):
            for what, names in users.get(identity, {}).items():
                found.setdefault(what, set()).update(names)
        for what, sentence in _OF_OTHERS.items():
            if what in found:
                raise NotPossibleError(f"{path} {sentence.format(vms=_vms(sorted(found[what])))}")


def changed_below(written: Mapping[str, Path], vms: HostVms, uuid: str) -> Iterator[str]:
    """Yield a warning for each file that a disk of the VM lies on today, as after an external snapshot.

    Args:
        written: the path of each file, by its name.
        vms: the VMs of the host.
        uuid: the UUID of the restored VM.
    """
    for top, form in vms.disks(uuid).items():
        below: set[Any] = set()
        with suppress(LibvirtError):  # it isn't a disk
            below.update(*(identities(Path(file)) for file in files_below(str(top), form)))
        for name, path in written.items():
            if below & identities(path):
                yield (
                    f"{name} replaces {path}, on which {top} lies today: the content of {top} needs the old "
                    "file, by the name under which it is kept (qemu-img rebase -u)."
                )


def check_unclaimed(device: Path) -> None:
    """Check that the host itself doesn't use a block device: a storage pool may have volumes of its own, too.

    Raises:
        NotPossibleError: it does.
    """
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise NotPossibleError(
                f"{device} is in use by the host itself: it is mounted, or part of LVM, RAID or swap. "
                "Nothing was changed. Release it, or restore into files under a new name."
            ) from error


def _vms(names: list[str]) -> str:
    return f"the VM{'s' * (len(names) > 1)} {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}"
