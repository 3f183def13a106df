"""The backup of one VM: begin, transfer, verify, publish, end. Each step can be killed and repeated.

The VM's host completes the beginning and the end of a backup by itself, even if this process dies. Transfer
and verification write into the vault's staging only; publishing renames it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from include.agent.bitmap import Bitmap
from include.agent.durable_files import write_json
from include.errors import BackupError, VaultError, VmNotBackError, VmNotImagedError, VmRereadError
from include.remote.ssh import configured
from include.results.task_labels import task_label
from include.text import counted
from include.vault.files import sync
from include.vault.free_space import FreeSpace
from include.vault.locks import locked_within
from include.vault.vault import Vault
from include.vault.verification_log import Verification
from include.vms import publication
from include.vms.archive import PublishedVm, StagedVm, VmArchive, to_the_second
from include.vms.carried import CarryRules, chunk_sums
from include.vms.chunks import Chunks
from include.vms.distrust import distrust, distrust_file, distrust_warning, found_by
from include.vms.draft import VerifiedImages
from include.vms.host import Host
from include.vms.image_stream import ImageSource
from include.vms.models import BackupRequest, BegunBackup, EndedBackup, KeptReference, ReferenceLabel
from include.vms.plan import FILES
from include.vms.read_back import ReadBack, not_the_hosts
from include.vms.record import VmRecord
from include.vms.transfer import Transferred, transfer, transfer_again

TRANSFER_ENDS_S = 20.0  # a cancelled transfer: Airflow ends it at its next heartbeat, or kills it 5 s later


@dataclass(frozen=True)
class VmBackup:
    """The backup of one VM from its host into the vault.

    Args:
        vault: the vault to write to.
        host: the VM's host.
        vm: the VM's name, by which the vault keeps it.
        uuid: by which the host identifies the VM.
        run: the run that makes the backup, for the host's journal and the record.
        reserve_bytes: space that must stay free in the vault.
        log: is called with each line of progress.
        carry: whether what its host's file system knows to be unchanged is carried over unread.
        reread_share: one in so many of these chunks is read all the same.
    """

    vault: Vault
    host: Host
    vm: str
    uuid: str
    run: str
    reserve_bytes: int
    log: Callable[[str], None]
    carry: bool = True
    reread_share: int = 8

    def begin_backup(self, request: BackupRequest, need_bytes: int = 0) -> BegunBackup:
        """Begin the backup on the host: afterwards the VM is in the same state as before.

        A run that has verified images of the VM already doesn't stop it a second time.

        Args:
            request: how.
            need_bytes: ``VmPlan.image_bytes``; checked again before the VM is stopped.

        Raises:
            NoSpaceError: the vault has too little free space; nothing was stopped.
            RescheduleError: another run works on the VM, or another VM of its host is being stopped.
            BackupError: the host refuses; see ``Host.begin_backup``.
        """
        with self._locked() as staged:
            if verified := self._verified(staged):
                self.log(f"{self.vm}: this run has verified its images already. The VM isn't stopped again.")
                return verified.begun
            space, need_bytes = FreeSpace.of(self.vault.root), max(need_bytes - staged.used_bytes, 0)
            space.require(need_bytes, FILES, self.reserve_bytes)
            return self.host.begin_backup(self.uuid, request)

    def transfer(self, begun: BegunBackup) -> Transferred | None:
        """Transfer the disks into staging: only the chunks that differ from the newest generation.

        Then the host's backup is ended, unless all was transferred, some of it must be sent again, or it is
        only clones, which cost little.

        Returns:
            what was transferred; None where the images are verified already.

        Raises:
            ImageGoneError, VmDisksChangedError: the host has no open backup, or no image; see ``transfer``.
            RescheduleError: another run works on the VM.
            NoSpaceError: the vault filled up.
            TransientError: the connection broke; a retry resumes the transfer.
        """
        with self._locked() as staged:
            if self._verified(staged):
                return None
            transferred, base = self._transfer(staged, begun), self._base()
            needed = begun.cloned or any(disk.decayed for disk in transferred.disks)
            if base and not (needed or transferred.ended):
                transferred = self._end_early(staged, begun, transferred, base)
            return transferred

    def verify(self, begun: BegunBackup) -> VmRecord:
        """Read the images back from the vault's disk, and compare each chunk's SHA-256 with the host's.

        Chunks that differ are transferred again while the host has them.

        Returns:
            the record that will be published.

        Raises:
            VmNotImagedError: they still differ; nothing is published.
        """
        with self._locked() as staged:
            return self._verified(staged) or self._verify(staged, begun)

    def end_backup(self) -> EndedBackup:
        """End the backup on the host, and remove from staging what isn't verified: it can't be any more."""
        ended = self.host.end_backup(self.uuid, self.run)
        with suppress(BackupError):
            drop_unverified(self.vault, self.vm, self.run)
        return ended

    def publish(self, begun: BegunBackup) -> VmRecord:
        """Publish the verified images, read-only.

        Returns:
            the record of the generation that this run published, now or before.

        Raises:
            VmNotImagedError: there are no verified images.
        """
        with self._generations.lock(self.vm) as staged:
            if staged.run == self.run and staged.draft.exists() and staged.data.exists():
                publication.publish(staged)
            if not (published := self._published()):
                raise VmNotImagedError(
                    f"{begun.vm} has no verified images in the vault. Clear its task "
                    f"{task_label('begin_backup')}."
                )
            if staged.run in (self.run, None):
                staged.clear()
            published.seal()
        if begun.cloned and to_the_second(begun.instant_at_vault) == published.record.instant:
            self._keep_reference(published, begun)  # only then are the open clones what was published
        return published.record

    def _keep_reference(self, published: PublishedVm, begun: BegunBackup) -> None:
        """Have the host keep the clones of a published generation, so that the next backup reads less."""
        try:
            if not self.carry or distrust_file(self._generations, self.vm).exists():
                self.host.drop_reference(self.uuid, "the vault has its disks read whole")
                return
            chunks = chunk_sums(published, [disk.name for disk in begun.disks])
            label = ReferenceLabel(run=self.run, generation=published.name, chunks=chunks)
            kept = self.host.keep_reference(self.uuid, label)
        except BackupError as error:
            kept = KeptReference(kept=False, reason=str(error))
        if not kept.kept:
            self.log(f"{self.vm}: the next backup reads its disks whole: {kept.reason}.")

    @property
    def _generations(self) -> VmArchive:
        return VmArchive(self.vault)

    def _published(self) -> PublishedVm | None:
        return self._generations.of_run(self.vm, self.run)

    def _verified(self, staged: StagedVm) -> VmRecord | None:
        if published := self._published():
            return published.record
        if staged.run == self.run:
            with suppress(VaultError):  # missing or damaged: verify again
                return publication.read_draft(staged).record
        return None

    @contextmanager
    def _locked(self) -> Iterator[StagedVm]:
        with self._generations.lock(self.vm) as staged:
            if staged.run != self.run:
                self._finish_earlier(staged)
            yield staged

    def _finish_earlier(self, staged: StagedVm) -> None:
        """Do what another run's publication was killed before."""
        if staged.draft.exists() and staged.data.exists():
            self._publish_left(staged)
        for newest in self._generations.of(self.vm)[-1:]:
            newest.seal()  # its rename needed it writable

    def _publish_left(self, staged: StagedVm) -> None:
        """Publish the images that another run verified but didn't publish before it ended."""
        try:
            generation = publication.publish(staged)
            staged.clear()
            generation.seal()
        except VaultError as error:
            self.log(f"{self.vm}: images that another run verified can't be published. {error}")
        else:
            self.log(f"{self.vm}: {generation.name} was verified by another run and is published now.")

    def _transfer(self, staged: StagedVm, begun: BegunBackup) -> Transferred:
        if staged.is_of(self.run, begun.instant):
            with suppress(OSError, ValueError):  # incomplete, or the file is damaged
                return Transferred.model_validate_json(staged.transferred.read_bytes())
        found_by(self._generations, self.vm, self.run)  # an earlier try may not have marked all
        try:
            transferred = self._receive(staged, begun)
        except VmRereadError as found:
            staged.clear()  # first: a retry must resume nothing of what was carried, whenever this one dies
            self.log(f"{self.vm}: {distrust(self._generations, self.vm, self.run, str(found))}")
            transferred = self._receive(staged, begun)
        how = found_by(self._generations, self.vm, self.run)  # in this try or an earlier one
        sync(staged.folder)
        return transferred.noted(staged, mismatch=how)

    def _receive(self, staged: StagedVm, begun: BegunBackup) -> Transferred:
        base = self._base()
        with self._image_source(begun, base) as source:
            return transfer(source, staged, base, self.log)

    def _base(self) -> PublishedVm | None:
        # A damaged one would do, as each chunk is verified; but the new image would share its bad blocks.
        return next((one for one in reversed(self._generations.of(self.vm)) if not one.suspect), None)

    def _verify(self, staged: StagedVm, begun: BegunBackup) -> VmRecord:
        transferred, started = self._transfer(staged, begun), time.monotonic()
        sha256, repeated = self._read_back(staged, begun, transferred).whole()
        count = sum(Chunks.read(staged.chunks(disk.name)).count for disk in begun.disks)
        how = f"SHA-256 of {counted(count, 'chunk')} read back from the disk equal to the host's"
        how += f"; {counted(repeated, 'chunk')} transferred again before" if repeated else ""
        verification = Verification(
            when=datetime.now(UTC), how=how, seconds=round(time.monotonic() - started, 3)
        )
        warnings = tuple(filter(None, [distrust_warning(self._generations, self.vm)]))
        images = VerifiedImages(staged, begun, transferred, sha256, verification, self._base(), warnings)
        draft = images.draft(uuid=self.uuid, host=self.host.transport.ssh_conn_id, run=self.run)
        write_json(staged.draft, draft.model_dump(mode="json"))
        self.log(f"{self.vm}: {how}.")
        return draft.record

    def _end_early(
        self, staged: StagedVm, begun: BegunBackup, transferred: Transferred, base: PublishedVm
    ) -> Transferred:
        """End the backup on the host once what it has sent was read back from the vault's disk.

        From then on, the guest's writes are no longer slowed down, and fill no scratch space; what was copied
        from the base is verified without the host.
        """
        self._read_back(staged, begun, transferred).received(base)
        transferred = transferred.noted(staged, ended=True)
        try:
            ended = self.host.end_backup(self.uuid, self.run)
        except BackupError as refused:
            self.log(f"{self.vm}: its backup can't be ended yet; its last task tries again. {refused}")
            down = str(refused) if isinstance(refused, VmNotBackError) else ""
            return transferred.noted(staged, not_back=down)
        self.log(f"{self.vm}: all that its host sent is on the vault's disk. Its backup there is ended.")
        warnings = tuple(f"Repaired when the backup ended: {sentence}" for sentence in ended.repaired)
        return transferred.noted(staged, warnings=warnings)

    def _read_back(self, staged: StagedVm, begun: BegunBackup, transferred: Transferred) -> ReadBack:
        def again(bad: Mapping[str, Bitmap]) -> None:
            if transferred.ended:
                raise not_the_hosts(staged, self._base(), bad, self.run)
            with self._image_source(begun) as source:
                transfer_again(source, staged, bad)

        return ReadBack(staged, tuple(disk.name for disk in begun.disks), again, self.log)

    @contextmanager
    def _image_source(self, begun: BegunBackup, base: PublishedVm | None = None) -> Iterator[ImageSource]:
        command = self.host.install_agent().command("send", self.uuid)
        trusted = self.carry and begun.cloned and not distrust_file(self._generations, self.vm).exists()
        names = [disk.name for disk in begun.disks]
        rules = CarryRules.of(base, names, self.reread_share) if base and trusted else None
        with configured(self.host.transport.endpoint) as config:
            yield ImageSource(config, command, begun, rules)


def drop_unverified(vault: Vault, vm: str, run: str) -> None:
    """Remove what a run has staged of a VM and not verified, once its transfer has ended.

    Raises:
        RescheduleError: the transfer still runs.
        VaultError: the vault can't be written.
    """
    with locked_within(lambda: VmArchive(vault).lock(vm), TRANSFER_ENDS_S) as staged:
        if staged.run == run and not staged.draft.exists():
            staged.clear()
