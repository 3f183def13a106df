"""The draft of a generation's record, made once its images are verified and before they are published."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from include.vault.verification_log import Verification
from include.vms import filesystems
from include.vms.archive import PublishedVm, StagedVm, to_the_second
from include.vms.models import BegunBackup
from include.vms.publication import DraftRecord
from include.vms.record import DiskRecord, VmRecord
from include.vms.transfer import Transferred

_COUNTED = {"sent_bytes", "read_bytes", "carried_bytes", "reread_bytes", "doubt", "exclusive_bytes"}
_LATER = {"record.json", "SHA256SUMS"}  # written on publication


@dataclass(frozen=True)
class VerifiedImages:
    """The verified images of one backup in staging.

    Args:
        staged: where they are.
        begun: the backup.
        transferred: what was transferred.
        sha256: of each disk's whole image, by the disk's name.
        verification: how they were verified.
        base: the generation that unchanged chunks were copied from, if any.
        warnings: more sentences for the report.
    """

    staged: StagedVm
    begun: BegunBackup
    transferred: Transferred
    sha256: Mapping[str, str]
    verification: Verification
    base: PublishedVm | None
    warnings: tuple[str, ...] = ()

    def draft(self, *, uuid: str, host: str, run: str) -> DraftRecord:
        """Return the draft record of the images.

        Args:
            uuid: by which the host identifies the VM.
            host: the host's SSH connection.
            run: the run that made the backup.
        """
        record = self._record(uuid, host, run)
        names, data = sorted(record.names - record.images - _LATER), self.staged.data
        sums = {name: _sha256(data / name) for name in names}
        return DraftRecord(
            record=record, sums=sums | {f"{disk.name}.img": disk.sha256 for disk in record.disks}
        )

    def _record(self, uuid: str, host: str, run: str) -> VmRecord:
        begun, base, disks = self.begun, self.base, tuple(self._disks())
        unclean = [warning for disk in disks for warning in disk.unclean]
        return VmRecord(
            vm=self.staged.vm,
            uuid=uuid,
            host=host,
            instant=to_the_second(begun.instant_at_vault),
            clock_offset_s=begun.clock_offset_s,
            method=begun.method,
            cloned=begun.cloned,
            not_cloned=begun.not_cloned,
            was=begun.was,
            downtime_s=begun.downtime_s,
            steps=begun.steps,
            stopped=begun.stopped,
            health_check=begun.health_check,
            disks=disks,
            files=tuple(self.transferred.files),
            sizes=self.staged.sizes,
            left_out=begun.left_out,
            base=base.name if base else None,
            reread_turn=self.transferred.reread_turn,
            bytes=self.staged.used_bytes,
            run=run,
            transfer_seconds=self.transferred.seconds,
            warnings=(
                *begun.warnings,
                *self.transferred.warnings,
                *unclean,
                *self._other_vm(uuid),
                *self.warnings,
            ),
            verifications=(self.verification,),
        )

    def _disks(self) -> Iterator[DiskRecord]:
        received = {disk.name: disk for disk in self.transferred.disks}
        for disk in self.begun.disks:
            yield DiskRecord(
                name=disk.name,
                bytes=disk.bytes,
                source_format=disk.format,
                source_path=disk.path,
                qcow2=disk.qcow2,
                sha256=self.sha256[disk.name],
                **received[disk.name].model_dump(include=_COUNTED),
                filesystems=tuple(filesystems.inspect(self.staged.image(disk.name))),
            )

    def _other_vm(self, uuid: str) -> list[str]:
        before = self.base.record.uuid if self.base else uuid
        warning = f"The previous generation is of another VM with the same name (UUID {before})."
        return [] if before == uuid else [warning]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
