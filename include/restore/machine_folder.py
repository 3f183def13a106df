"""A machine's images, definition and firmware brought into a folder of this computer, without its host."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.agent import new_disk
from include.agent.errors import AgentError
from include.agent.nbd import NbdError
from include.agent.reading import Part, blocks
from include.agent.restoring import Disk
from include.agent.target import Target
from include.errors import DamagedError, MachineNotPossibleError, MachineNotRestoredError, NoSpaceError
from include.machines.chunks import Chunks
from include.machines.generation import Generations, PublishedGeneration
from include.machines.machine_record import KeptDisk
from include.restore.machine_choice import kept_meanwhile, other_good
from include.restore.machine_proof import require_whole
from include.vault import Vault
from include.wording import counted, size

_PART = ".part"


@dataclass(frozen=True)
class FolderRestore:
    """A generation on its way into a folder.

    Args:
        vault: where from.
        generation: which.
        folder: where to; made if it isn't there.
        form: ``raw`` or ``qcow2``, for all disks; None: as they were at their host.
        run_name: who restores it, for the proofs.
        say: told how it goes, a line at a time.
    """

    vault: Vault
    generation: PublishedGeneration
    folder: Path
    form: str | None
    run_name: str
    say: Callable[[str], None]

    def run(self) -> list[Path]:
        """Write the files, and prove each as read back from the disk.

        Returns:
            the files.

        Raises:
            MachineNotPossibleError: a file is there already, or qemu-img is missing.
            NoSpaceError: the room isn't there; nothing was written.
            DamagedError: the generation is damaged.
            MachineNotRestoredError: what was written isn't what the machine's host hashed.
        """
        with kept_meanwhile(self.vault, self.generation):
            with self._damage_told():
                record = require_whole(self.generation)
            images = {disk: self.folder / f"{disk.name}.{self._form(disk)}" for disk in record.disks}
            files = [self.folder / name for name in record.files]
            self._look(images, files)
            with self._damage_told():
                for disk, path in images.items():
                    self._image(disk, path)
            for path in files:
                shutil.copyfile(self.generation.file(path.name), path)
                path.chmod(0o600)
        return [*images.values(), *files]

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Add damage that is found to the generation's proofs, and say which other one is good."""
        try:
            yield
        except DamagedError as damaged:
            if told := self.generation.proofs.note_damage(f"A restore found it: {damaged}", self.run_name):
                self.say(told)
            others = Generations(self.vault).of(self.generation.machine)
            raise DamagedError(f"{damaged} {other_good(self.generation, others)}") from damaged

    def _form(self, disk: KeptDisk) -> str:
        return self.form or disk.source_format

    def _look(self, images: dict[KeptDisk, Path], files: list[Path]) -> None:
        if shutil.which("qemu-img") is None or shutil.which("qemu-nbd") is None:
            raise MachineNotPossibleError(
                "qemu-img is missing here. Install it: sudo apt-get install qemu-utils"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise MachineNotPossibleError(f"{self.folder} is no folder. Name one, or one to be made.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if there := [path for path in (*images.values(), *files) if path.exists() or path.is_symlink()]:
            raise MachineNotPossibleError(
                f"{there[0]} is there already. Name another folder, or move it away."
            )
        need = sum(self.generation.image(disk.name).stat().st_blocks * 512 for disk in images)
        if (free := shutil.disk_usage(self.folder).free) < need:
            raise NoSpaceError(f"{self.folder} has {size(free)} free, and {size(need)} are needed.")

    def _image(self, disk: KeptDisk, path: Path) -> None:
        part = path.with_name(path.name + _PART)
        part.unlink(missing_ok=True)
        words = ["qemu-img", "convert", "-f", "raw", "-O", self._form(disk), "--"]
        done = subprocess.run(
            [*words, str(self.generation.image(disk.name)), str(part)], capture_output=True, check=False
        )
        if done.returncode:
            raise MachineNotRestoredError(f"qemu-img failed: {done.stderr.decode(errors='replace').strip()}")
        part.chmod(0o600)
        chunks = Chunks.read(self.generation.chunks(disk.name))
        self._prove(disk, part, chunks)
        part.rename(path)
        self.say(f"{path}: {size(disk.bytes)}, {counted(chunks.count, 'chunk')} proven.")

    def _prove(self, disk: KeptDisk, part: Path, chunks: Chunks) -> None:
        """Read an image back, as a guest will see it, and hold it against what the machine's host hashed."""
        target = Target(Disk(disk.name, part, self._form(disk), disk.bytes, 0), part, part)
        try:
            with tempfile.TemporaryDirectory(dir="/tmp") as room:  # a socket's name is short
                bad = _bad(target, Path(room), chunks)
        except (AgentError, NbdError) as error:
            raise MachineNotRestoredError(f"{part} can't be read back. {error}") from error
        if bad:
            raise DamagedError(
                f"{self.generation.folder} is damaged: {counted(len(bad), 'chunk')} of {disk.name}, the "
                f"first {bad[0]:,}, aren't what the machine's host hashed. {part} holds them all the same."
            )


def _bad(target: Target, room: Path, chunks: Chunks) -> list[int]:
    with new_disk.from_the_disk(target, room) as export:
        part = Part(export, chunks.chunk_bytes, 0, chunks.count)
        zeros = part.of_zeros()
        return [
            index
            for index, block in blocks(part)
            if (block[1] if block else zeros[part.length(index)]) != chunks.digest(index)
        ]
