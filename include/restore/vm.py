"""Restore a VM from the vault to a KVM host.

Only chunks that differ are sent; each is verified in the vault before, and on the host after. The VM isn't
changed until all of its disks are verified on the host. Then the host swaps them in, step by step. A restore
that is killed at any moment resumes.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from include.agent.bitmap import Bitmap
from include.errors import (
    BackupError,
    DamagedError,
    HostError,
    HostNotReadyError,
    SourceUnreachableError,
    VmNotRestoredError,
)
from include.models import Model
from include.names import named
from include.remote.ssh import configured
from include.restore import vm_definition
from include.restore.generation_choice import locked, other_undamaged
from include.restore.vm_agent_request import restore_order
from include.restore.vm_request import VmRestoreRequest
from include.restore.vm_sender import RestoreStream, read_verified, sending
from include.text import counted, size
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.chunks import Chunks
from include.vms.host import Host
from include.vms.left_out import not_restored
from include.vms.progress import Progress
from include.vms.restore_models import RestoreCheck, RestoreDiskOrder, SwapResult, VmRestoreOrder

RESENDS = 2  # how often chunks that don't verify on the host are sent again
_UNCHANGED = "The VM wasn't changed."


class RestoredVm(Model):
    """The result of a restore.

    Args:
        swapped: the result of the host's swap.
        sent_bytes: the bytes that differed and were sent.
        chunks: the number of chunks that were read back on the host.
        seconds: the duration.
        warnings: what a person should know, as sentences.
    """

    swapped: SwapResult
    sent_bytes: int
    chunks: int
    seconds: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class VmRestore:
    """The restore of one VM to its host.

    Args:
        vault: the vault.
        host: the target host.
        request: the parameters of the restore.
        generation: the generation to restore.
        run: the run's name.
        log: called with lines of progress.
    """

    vault: Vault
    host: Host
    request: VmRestoreRequest
    generation: PublishedVm
    run: str
    log: Callable[[str], None]

    def check(self) -> RestoreCheck:
        """Check the restore without changing anything; return the disks' places on the host, and warnings.

        Raises:
            ConfigError: the request is invalid.
            VaultError: the generation can't be read, or is damaged.
            VmNotPossibleError: the host can't do it.
        """
        with self._damage_recorded(record=False):
            found = self.host.check_restore(self.order())
        warnings = (*found.warnings, *not_restored(self.generation.record.left_out))
        return found.model_copy(update={"warnings": warnings})

    def run_all(self) -> RestoredVm:
        """Restore the VM.

        Raises:
            ConfigError: the request is invalid.
            VaultError: the generation is damaged; the VM wasn't changed.
            VmNotPossibleError: the host can't do it; the VM wasn't changed.
            VmNotRestoredError: it failed on the host; the message has the state of each disk.
            TransientError: a retry resumes.
        """
        began = time.monotonic()
        with locked(self.vault, self.generation):
            with self._damage_recorded():
                order = self.order()
            found, sent = self.host.check_restore(order), 0
            if not (found.done or found.begun):
                sent = self._transfer(order)
            swapped = found.done or self._swap(order)
        return RestoredVm(
            swapped=swapped,
            sent_bytes=sent,
            chunks=sum(self._chunks(disk.name).count for disk in order.disks),
            seconds=round(time.monotonic() - began, 3),
            warnings=(*swapped.warnings, *not_restored(self.generation.record.left_out)),
        )

    def order(self) -> VmRestoreOrder:
        """Return the order for the host's agent.

        Raises:
            ConfigError: the request is invalid.
            VaultError: the generation can't be read, or is damaged.
        """
        self.request.require_valid()
        return restore_order(self.request, self.generation, self.run, self.host.disk_folders)

    def _transfer(self, order: VmRestoreOrder) -> int:
        """Send all disks to the host and verify them there; return the number of bytes sent."""
        command = self.host.install_agent().command("receive")
        with configured(self.host.transport.endpoint) as config, sending(config, command, order) as sender:
            missing = {disk.name: self._compare(sender, disk) for disk in order.disks}
            if any(place.direct for place in sender.places):
                self._verify_first(missing)  # writing to it can't be undone
            try:
                return sum(self._send(sender, disk.name, missing[disk.name]) for disk in order.disks)
            except EOFError:
                self.log(_outcome(sender))
                raise

    def _compare(self, sender: RestoreStream, disk: RestoreDiskOrder) -> Bitmap:
        chunks = self._chunks(disk.name)
        missing = sender.compare(disk.name, chunks, self._progress(disk.name, "compared", chunks.bytes))
        differs = f"{counted(len(missing), 'chunk')} of {chunks.count:,}"
        self.log(f"{self.request.vm} {disk.name}: {differs} differ from {disk.path}.")
        return missing

    def _verify_first(self, missing: Mapping[str, Bitmap]) -> None:
        for disk, indexes in missing.items():
            with self._damage_recorded():
                deque(read_verified(self.generation.image(disk), self._chunks(disk), indexes), maxlen=0)

    def _send(self, sender: RestoreStream, disk: str, missing: Bitmap) -> int:
        """Send chunks until the host has verified the disk; return the number of bytes sent."""
        chunks, image, sent = self._chunks(disk), self.generation.image(disk), 0
        for _ in range(RESENDS + 1):
            total = sum(chunks.length(index) for index in missing)
            if missing:
                with self._damage_recorded(outcome=_outcome(sender)):
                    sender.write(disk, image, chunks, missing, self._progress(disk, "sent", total))
            sent += total
            missing = sender.verify(disk, chunks, self._progress(disk, "verified", chunks.bytes))
            if not missing:
                self.log(
                    f"{self.request.vm} {disk}: {size(sent)} sent; {counted(chunks.count, 'chunk')} verified."
                )
                return sent
        raise VmNotRestoredError(
            f"{disk} of {self.request.vm} doesn't verify on the host: it was sent {RESENDS + 1} times, and "
            f"reads back differently. {_outcome(sender)} Check the host's disk."
        )

    def _progress(self, disk: str, what: str, total: int) -> Progress:
        return Progress(f"{self.request.vm} {disk} {what}", total, self.log)

    @contextmanager
    def _damage_recorded(self, *, record: bool = True, outcome: str = _UNCHANGED) -> Iterator[None]:
        """Record damage that is found, and name an undamaged generation in the error."""
        try:
            yield
        except DamagedError as damaged:
            verification_log = self.generation.verification_log
            if record and (warning := verification_log.record_damage(str(damaged), self.run, by="restore")):
                self.log(warning)
            others = VmArchive(self.vault).of(self.generation.vm)
            raise DamagedError(f"{damaged} {outcome} {other_undamaged(self.generation, others)}") from damaged

    def _swap(self, order: VmRestoreOrder) -> SwapResult:
        try:
            return self.host.swap(order)
        except (HostError, SourceUnreachableError) as cut_off:
            state = ""
            with suppress(BackupError):  # the host is unreachable; a retry reports the state
                state = self.host.interrupted_restore(vm_definition.uuid_of(order.definition))
            if state:
                raise HostNotReadyError(f"{cut_off} {state}") from cut_off
            raise

    def _chunks(self, disk: str) -> Chunks:
        return Chunks.read(self.generation.chunks(disk))


def _outcome(sender: RestoreStream) -> str:
    """Return what a transfer that is cut off means for the VM, as a sentence."""
    direct = [place.path for place in sender.places if place.direct]
    if not direct:
        return _UNCHANGED
    return f"{named(direct)} is a block device, and incomplete until this restore is run again."
