"""The JSON that the backup and a KVM host's agent exchange about a restore, validated on input."""

import base64
from typing import Annotated

from pydantic import BeforeValidator, NonNegativeInt, PlainSerializer, PositiveInt

from include.models import Model
from include.vms.models import Qcow2Options


def _decoded(text: object) -> object:
    return base64.b64decode(text, validate=True) if isinstance(text, str) else text


Content = Annotated[
    bytes,
    BeforeValidator(_decoded),
    PlainSerializer(lambda content: base64.b64encode(content).decode(), when_used="json"),
]
"""The content of a file; Base64 in JSON."""


class RestoreDiskOrder(Model):
    """A disk to be restored.

    Args:
        name: the target device in the VM's definition.
        path: its path on the host.
        format: ``raw`` or ``qcow2``, on the host.
        bytes: its size as the guest sees it.
        data_bytes: how much of its image in the vault isn't a hole.
        qcow2: the options that the backed up disk was made with; None if it isn't QCOW2.
    """

    name: str
    path: str
    format: str
    bytes: PositiveInt
    data_bytes: NonNegativeInt
    qcow2: Qcow2Options | None


class VmRestoreOrder(Model):
    """The restore that a host's agent is to do; see ``include/agent/restore/request.py``.

    Args:
        run: the Airflow run.
        generation: the generation's name.
        in_place: whether the VM itself is restored, and not a new one beside it.
        keep_old: whether its old disks are kept.
        start: whether to start it afterwards.
        original: the UUID that it was backed up with.
        folders: folders on the host that disks may be written to.
        definition: its definition; the host decides what stays of it.
        disks: its disks.
        files: its firmware's state.
    """

    run: str
    generation: str
    in_place: bool
    keep_old: bool
    start: bool
    original: str
    folders: tuple[str, ...]
    definition: str
    disks: tuple[RestoreDiskOrder, ...]
    files: dict[str, Content]


class DiskTarget(Model):
    """Where a disk is restored to on the host.

    Args:
        name: the disk's name.
        path: its final path.
        new: the path it is written to before the swap; for a block device, the same.
        base: whether the current content is the base, so that only differing chunks are sent.
        flat: whether that is a single file without a backing chain.
        begun: whether an earlier try began to write it.
    """

    name: str
    path: str
    new: str
    base: bool
    flat: bool
    begun: bool

    @property
    def direct(self) -> bool:
        """Whether it is written to its final path."""
        return self.path == self.new


class SwapResult(Model):
    """The result of swapping a VM for its restored version.

    Args:
        vm: the VM's name.
        uuid: its UUID.
        kept: the paths of its old disks and firmware.
        definition: the path of its old definition.
        state: its current state, as virsh names it.
        at: when the swap was done, by the host's clock.
        warnings: sentences for the report.
    """

    vm: str
    uuid: str
    kept: tuple[str, ...]
    definition: str | None
    state: str
    at: str
    warnings: tuple[str, ...]


class RestoreCheck(Model):
    """How far a restore has got on a host.

    Args:
        done: the result, if this run has completed the restore already.
        begun: whether the swap was interrupted and must be resumed.
        disks: where each disk goes, unless the restore is done or the swap begun.
        warnings: what the host will leave out or change, as sentences.
    """

    done: SwapResult | None
    begun: bool
    disks: tuple[DiskTarget, ...]
    warnings: tuple[str, ...]
