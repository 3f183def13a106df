"""The record of a generation: what it is, where from, when, how it was made and verified."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import NonNegativeInt

from include.models import Model
from include.vault.verification_log import Verification
from include.vms.filesystems import FileSystem
from include.vms.left_out import LeftOut
from include.vms.models import BegunBackup, Method, Qcow2Options, SnapshotDisk, Stopped, TimedStep


class DiskRecord(Model):
    """One disk of a generation.

    Args:
        name: the target device in the VM's definition, such as ``vda``.
        bytes: its size as the guest sees it.
        source_format: ``raw`` or ``qcow2``, on the host; in the vault it's always raw.
        source_path: its path on the host.
        qcow2: the options that it was made with on the host; None if it wasn't QCOW2.
        sha256: of the whole raw image.
        sent_bytes: how much of it was sent over the network.
        read_bytes: how much of it its host read, without zeros.
        carried_bytes: how much of it was carried over from the base unread, as its host's file system shows
            that it hadn't changed.
        reread_bytes: how much was read although it counted as unchanged, and was; in ``read_bytes``, too.
        doubt: why nothing of it could be carried, as a phrase; empty if it could, or wasn't to.
        exclusive_bytes: what its reference took on its host, beside what it shared with the disk.
        filesystems: the file systems found in it.
    """

    name: str
    bytes: int
    source_format: str
    source_path: str
    qcow2: Qcow2Options | None = None
    sha256: str
    sent_bytes: int
    read_bytes: NonNegativeInt
    carried_bytes: NonNegativeInt
    reread_bytes: NonNegativeInt
    doubt: str
    exclusive_bytes: NonNegativeInt
    filesystems: tuple[FileSystem, ...]

    @property
    def unclean(self) -> list[str]:
        """The file systems that aren't clean, as warnings."""
        return [f"{self.name}, {found.description}" for found in self.filesystems if found.clean is False]


class VmRecord(Model):
    """The record of one generation of a VM.

    Args:
        vm: the VM's name.
        uuid: libvirt's UUID of it, which survives renaming.
        host: the Airflow connection of its host.
        instant: the time of the disks' state, by the vault's clock.
        clock_offset_s: how far the host's clock was ahead of the vault's then, in seconds.
        method: ``cold``, ``live``, ``copy`` or ``offline``.
        cloned: whether its snapshot was made by the host's file system: clones of the disks.
        not_cloned: why it wasn't, as a phrase; empty if it was.
        was: ``running`` or ``off``, before the backup.
        downtime_s: from the shutdown request to the passed health check, or while it was suspended.
        steps: what was done on the host, and when by its clock.
        stopped: how the guest was stopped.
        health_check: which checks showed that the VM was back, as a sentence.
        disks: the disks.
        files: the other files: definition, NVRAM, TPM state.
        sizes: the size of each file but the record and SHA256SUMS, in bytes.
        left_out: what the VM had and the generation hasn't.
        base: the name of the generation whose chunks weren't sent again, if any.
        reread_turn: which share of what counts as unchanged was read again.
        bytes: what the generation occupies on the vault's disk, shared blocks included.
        run: the Airflow run that made it.
        transfer_seconds: how long the transfer took.
        warnings: sentences for the report.
        verifications: when and how it was verified, first to last.
    """

    vm: str
    uuid: str
    host: str
    instant: datetime
    clock_offset_s: float
    method: Method
    cloned: bool
    not_cloned: str
    was: Literal["running", "off"]
    downtime_s: float
    steps: tuple[TimedStep, ...]
    stopped: Stopped
    health_check: str
    disks: tuple[DiskRecord, ...]
    files: tuple[str, ...]
    sizes: dict[str, NonNegativeInt]
    left_out: tuple[LeftOut, ...]
    base: str | None
    reread_turn: NonNegativeInt
    bytes: int
    run: str
    transfer_seconds: float
    warnings: tuple[str, ...]
    verifications: tuple[Verification, ...]

    @property
    def images(self) -> set[str]:
        """The names of the image files."""
        return {f"{disk.name}.img" for disk in self.disks}

    @property
    def names(self) -> set[str]:
        """The names of all files of the generation."""
        chunks = {f"{disk.name}.chunks" for disk in self.disks}
        return self.images | chunks | {*self.files, "record.json", "SHA256SUMS"}

    @property
    def begun(self) -> BegunBackup:
        """The host's answer when the backup was begun."""
        disks = (
            SnapshotDisk(
                name=disk.name,
                format=disk.source_format,
                bytes=disk.bytes,
                path=disk.source_path,
                qcow2=disk.qcow2,
            )
            for disk in self.disks
        )
        return BegunBackup(
            run=self.run,
            vm=self.vm,
            uuid=self.uuid,
            method=self.method,
            cloned=self.cloned,
            not_cloned=self.not_cloned,
            was=self.was,
            steps=self.steps,
            downtime_s=self.downtime_s,
            stopped=self.stopped,
            health_check=self.health_check,
            instant=self.instant + timedelta(seconds=self.clock_offset_s),
            disks=tuple(disks),
            left_out=self.left_out,
            warnings=self.warnings,
            clock_offset_s=self.clock_offset_s,
        )
