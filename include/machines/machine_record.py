"""The record beside a generation: what it is, where from, when, how it was frozen and proven."""

from datetime import datetime
from typing import Literal

from include.facts import Facts
from include.machines.facts import Frozen, FrozenDisk, Method, Step
from include.machines.filesystems import FileSystem
from include.record import Proof


class KeptDisk(Facts):
    """One disk of a generation.

    Args:
        name: as the guest's definition calls it, such as ``vda``.
        bytes: what the guest sees as its size.
        source_format: ``raw`` or ``qcow2``, on the host; in the vault it's always raw.
        source_path: on the host.
        sha256: of the whole raw image.
        sent_bytes: what came over the wire for it.
        filesystems: what is known of the file systems in it.
    """

    name: str
    bytes: int
    source_format: str
    source_path: str
    sha256: str
    sent_bytes: int
    filesystems: tuple[FileSystem, ...]


class MachineRecord(Facts):
    """What is known of one generation of a machine.

    Args:
        machine: its name.
        uuid: libvirt's name for it, which outlives renaming.
        host: the Airflow connection of its host.
        instant: whose state the disks hold.
        method: ``cold``, ``live``, ``copy`` or ``offline``.
        was: ``running`` or ``off``, before.
        downtime_s: from the shutdown request to the proof of life.
        steps: what was done at the host, and when.
        stopped: how the guest went down.
        proof_of_life: how it's known that the machine is back, as a sentence.
        disks: what is kept of it.
        files: what else is kept: definition, NVRAM, TPM state.
        base: the instant of the generation that the transfer was measured against, if any.
        bytes: what the generation takes on the vault's disk, as if it shared nothing.
        run: the Airflow run that made it.
        pull_seconds: what the transfer took.
        warnings: what a person should know of it.
        proofs: when and how it was proven, first to last.
    """

    machine: str
    uuid: str
    host: str
    instant: datetime
    method: Method
    was: Literal["running", "off"]
    downtime_s: float
    steps: tuple[Step, ...]
    stopped: Literal["by itself", "destroyed", "not stopped"]
    proof_of_life: str
    disks: tuple[KeptDisk, ...]
    files: tuple[str, ...]
    base: str | None
    bytes: int
    run: str
    pull_seconds: float
    warnings: tuple[str, ...]
    proofs: tuple[Proof, ...]

    @property
    def images(self) -> set[str]:
        """The names of the disks' files."""
        return {f"{disk.name}.img" for disk in self.disks}

    @property
    def names(self) -> set[str]:
        """The names of all files of the generation."""
        chunks = {f"{disk.name}.chunks" for disk in self.disks}
        return self.images | chunks | {*self.files, "record.json", "SHA256SUMS"}

    @property
    def frozen(self) -> Frozen:
        """What the host said when it was made."""
        disks = (
            FrozenDisk(name=disk.name, format=disk.source_format, bytes=disk.bytes, path=disk.source_path)
            for disk in self.disks
        )
        return Frozen(
            run=self.run,
            machine=self.machine,
            uuid=self.uuid,
            method=self.method,
            was=self.was,
            steps=self.steps,
            downtime_s=self.downtime_s,
            stopped=self.stopped,
            proof=self.proof_of_life,
            instant=self.instant,
            disks=tuple(disks),
            warnings=self.warnings,
        )
