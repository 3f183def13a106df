"""Write a VM's images, definition and firmware to a folder of this machine, without its host."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.agent.bitmap import Bitmap
from include.agent.disks import new_disk, qcow2_options
from include.agent.disks.chunk_reader import ChunkRange, read_chunks
from include.agent.disks.nbd_client import NbdError
from include.agent.errors import AgentError
from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.request import RequestedDisk
from include.errors import DamagedError, NoSpaceError, VmNotPossibleError, VmNotRestoredError
from include.restore import container_layer
from include.restore.generation_choice import locked, other_undamaged
from include.restore.vm_verification import require_intact
from include.text import counted, size
from include.vault.files import sync
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.chunks import Chunks
from include.vms.record import DiskRecord

_PART = ".part"


@dataclass(frozen=True)
class FolderRestore:
    """The restore of a generation to a folder.

    Args:
        vault: the vault.
        generation: the generation to restore.
        folder: the target folder; created if it doesn't exist.
        form: ``raw`` or ``qcow2`` for all disks; None for their format on the host.
        run_name: the run's name, for the verification log.
        log: called with lines of progress.
    """

    vault: Vault
    generation: PublishedVm
    folder: Path
    form: str | None
    run_name: str
    log: Callable[[str], None]

    def run(self) -> list[Path]:
        """Write the files, and verify each image as read back from the disk.

        Returns:
            The paths of the files.

        Raises:
            VmNotPossibleError: a file exists already, or qemu-img is missing.
            NoSpaceError: there isn't enough space; nothing was written.
            DamagedError: the generation is damaged.
            VmNotRestoredError: qemu-img failed, or an image can't be read back.
        """
        with locked(self.vault, self.generation):
            with self._damage_recorded():
                record = require_intact(self.generation)
            images = {disk: self.folder / f"{disk.name}.{self._form(disk)}" for disk in record.disks}
            files = [self.folder / name for name in record.files]
            self._require_possible(images, files)
            with self._damage_recorded():
                for disk, path in images.items():
                    self._image(disk, path)
            for path in files:
                path.touch(mode=0o600)
                shutil.copyfile(self.generation.file(path.name), path)
            sync(self.folder)
        return [*images.values(), *files]

    @contextmanager
    def _damage_recorded(self) -> Iterator[None]:
        """Record damage that is found, and name an undamaged generation in the error."""
        try:
            yield
        except DamagedError as damaged:
            if warning := self.generation.verification_log.record_damage(
                str(damaged), self.run_name, by="restore"
            ):
                self.log(warning)
            others = VmArchive(self.vault).of(self.generation.vm)
            raise DamagedError(f"{damaged} {other_undamaged(self.generation, others)}") from damaged

    def _form(self, disk: DiskRecord) -> str:
        return self.form or disk.source_format

    def _require_possible(self, images: dict[DiskRecord, Path], files: list[Path]) -> None:
        if shutil.which("qemu-img") is None or shutil.which("qemu-nbd") is None:
            raise VmNotPossibleError(
                "qemu-img or qemu-nbd is missing. Install them: sudo apt-get install qemu-utils"
            )
        if reason := container_layer.refusal(self.folder):
            raise VmNotPossibleError(reason)
        if self.folder.exists() and not self.folder.is_dir():
            raise VmNotPossibleError(
                f"{self.folder} isn't a folder. Name another one; it is created if it doesn't exist."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        if existing := [path for path in (*images.values(), *files) if path.exists() or path.is_symlink()]:
            raise VmNotPossibleError(
                f"{existing[0]} is there already. Nothing was written. Name another folder."
            )
        need = sum(self.generation.image(disk.name).stat().st_blocks * 512 for disk in images)
        if (free := shutil.disk_usage(self.folder).free) < need:
            raise NoSpaceError(
                f"Not enough space: {self.folder} needs {size(need)}, and has {size(free)} free. "
                "Nothing was written."
            )

    def _image(self, disk: DiskRecord, path: Path) -> None:
        part = path.with_name(path.name + _PART)
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)  # before there is anything in it that others could read
        command = ["qemu-img", "convert", "-f", "raw", "-O", self._form(disk), *self._options(disk), "--"]
        done = subprocess.run(
            [*command, str(self.generation.image(disk.name)), str(part)], capture_output=True, check=False
        )
        if done.returncode:
            raise VmNotRestoredError(f"qemu-img failed: {done.stderr.decode(errors='replace').strip()}")
        chunks = Chunks.read(self.generation.chunks(disk.name))
        self._verify(disk, part, chunks)
        part.rename(path)
        self.log(f"{path}: {size(disk.bytes)}, {counted(chunks.count, 'chunk')} verified.")

    def _options(self, disk: DiskRecord) -> list[str]:
        """Return arguments of qemu-img: the options that the disk had on its host, if this one knows them."""
        if self._form(disk) != "qcow2" or disk.qcow2 is None:
            return []
        options = disk.qcow2.model_dump()
        possible = qcow2_options.possible(options, disk.bytes)
        if lost := qcow2_options.lost(options, possible):
            unknown = qcow2_options.described(lost)
            self.log(f"{disk.name} is made without {unknown}: this machine's qemu-img can't make that.")
        return qcow2_options.arguments(possible)

    def _verify(self, disk: DiskRecord, part: Path, chunks: Chunks) -> None:
        """Read an image back as a guest sees it, and compare it with the hashes of the VM's host."""
        target = DiskPlace(RequestedDisk(disk.name, part, self._form(disk), disk.bytes, 0, {}), part, part)
        try:
            with tempfile.TemporaryDirectory(dir="/tmp") as work_folder:  # a socket's path must be short
                bad = _bad_chunks(target, Path(work_folder), chunks)
        except (AgentError, NbdError) as error:
            raise VmNotRestoredError(f"{part} can't be read back. {error}") from error
        if bad:
            raise DamagedError(
                f"{self.generation.folder} is damaged: checksum mismatch of {counted(len(bad), 'chunk')} of "
                f"{disk.name}, the first of which is {next(iter(bad)):,}. The damaged image is {part}."
            )


def _bad_chunks(target: DiskPlace, work_folder: Path, chunks: Chunks) -> Bitmap:
    with new_disk.uncached(target, work_folder) as export:
        part = ChunkRange(export, chunks.chunk_bytes, 0, chunks.count)
        zeros = part.zero_digests()
        return Bitmap(
            chunks.count,
            (
                index
                for index, block in read_chunks(part)
                if (block[1] if block else zeros[part.length(index)]) != chunks.digest(index)
            ),
        )
