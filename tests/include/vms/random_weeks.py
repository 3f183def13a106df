"""Random weeks of a VM's disk: whatever can happen to a file, and backups that are published or aren't."""

import fcntl
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from include.vms.archive import VmArchive
from include.vms.chunks import CHUNK_BYTES
from tests.include.vms.cloned_host import CloningHost, Weeks

BLOCK = 4096
SMALLEST, LARGEST = 3 * CHUNK_BYTES + 512, 12 * CHUNK_BYTES
_FICLONERANGE, _FIDEDUPERANGE = 0x4020940D, 0xC0189436  # linux/fs.h


class RandomWeeks:
    """The disk, its backups, and dice.

    Args:
        weeks: the VM.
        seed: of the dice.
    """

    def __init__(self, weeks: Weeks, seed: int) -> None:
        self.weeks, self.disk = weeks, weeks.disk
        self.dice = random.Random(seed)  # noqa: S311 - to be repeated
        self.carried = self.whole = 0
        self.steps: list[str] = []
        self.disk.write_bytes(self.dice.randbytes(8 * CHUNK_BYTES + 512))

    def run(self, steps: int) -> None:
        """Take so many steps, and publish at the end."""
        often = {
            self.publish: 5,
            self.write: 4,
            self.allocate: 3,
            self.touch_reference: 2,
            self.lose_generation: 2,
        }
        rarely = [self.copy_within, self.dedupe, self.resize, self.fail, self.replace]
        rarely += [self.lose_promotion, self.dedupe_reference, self.move]
        choices: list[Callable[[], object]] = [*often, *rarely]
        weights = [*often.values(), *(1 for _ in rarely)]
        try:
            for step in self.dice.choices(choices, weights, k=steps):
                self.steps.append(getattr(step, "__name__", "?"))
                step()
            self.publish()
        except BaseException as error:
            error.add_note(" ".join(self.steps))
            raise

    def publish(self) -> None:
        """Back it up; the image must be the disk."""
        self.weeks.publish(self.weeks.backup())
        _, carried, _, doubt = self.weeks.counts()
        self.carried, self.whole = self.carried + carried, self.whole + bool(doubt)

    def fail(self) -> None:
        """Begin a backup that is never published."""
        self.weeks.fail(after_transfer=self.dice.random() < 0.5)

    def lose_promotion(self) -> None:
        """Publish it while the host can't be asked to keep its clones."""
        self.weeks.publish(self.weeks.backup(unreachable=True))

    def lose_generation(self) -> None:
        """Go back to an older vault."""
        found = VmArchive(self.weeks.vault).of("maq1")
        if len(found) > 1:
            subprocess.run(["rm", "-r", found[-1].folder], check=True)

    def write(self) -> None:
        """Write data, zeros, or what is there already."""
        start, length = self._place(1)
        with self.disk.open("r+b") as file:
            file.seek(start)
            data = self.dice.choice([self.dice.randbytes(length), bytes(length), file.read(length)])
            file.seek(start)
            file.write(data)

    def allocate(self) -> None:
        """Punch, zero, collapse, insert or allocate a part."""
        how = self.dice.choice(
            ["--punch-hole", "--zero-range", "--collapse-range", "--insert-range", "--keep-size"]
        )
        start, length = self._place(BLOCK)
        self._call("fallocate", how, f"--offset={start}", f"--length={max(length, BLOCK)}", str(self.disk))
        if self.disk.stat().st_size > LARGEST:
            os.truncate(self.disk, LARGEST)

    def resize(self) -> None:
        """Grow or shrink it."""
        os.truncate(self.disk, self.dice.randrange(SMALLEST, LARGEST, 512))

    def copy_within(self) -> None:
        """Have a part share the blocks of another part."""
        (start, length), (target, _) = self._place(BLOCK), self._place(BLOCK)
        with self.disk.open("r+b") as file, suppress(OSError):
            fcntl.ioctl(file, _FICLONERANGE, struct.pack("=qQQQ", file.fileno(), start, length, target))

    def dedupe(self) -> None:
        """Have two parts with the same data share their blocks."""
        (start, length), (target, _) = self._place(BLOCK), self._place(BLOCK)
        with self.disk.open("r+b") as file:
            file.seek(start)
            data = file.read(length)
            file.seek(target)
            file.write(data)
            os.fsync(file.fileno())
            self._dedupe(file.fileno(), start, file.fileno(), target, len(data))

    def dedupe_reference(self) -> None:
        """Have the reference share blocks with the disk again."""
        reference = self.weeks.reference
        if not (reference and reference.exists()):
            return
        start, length = self._place(BLOCK)
        with self.disk.open("r+b") as file, reference.open("rb") as kept:
            file.seek(start)
            file.write(os.pread(kept.fileno(), length, start))
            os.fsync(file.fileno())
            self._dedupe(file.fileno(), start, kept.fileno(), start, length)

    def touch_reference(self) -> None:
        """Do to the reference what nobody should."""
        reference = self.weeks.reference
        if reference and reference.exists():
            start, length = self._place(BLOCK)
            ways: list[Callable[[], object]] = [
                reference.unlink,
                lambda: os.utime(reference),
                lambda: self._overwrite(reference, start, self.dice.randbytes(length)),
                lambda: self._copy_over(reference),
                lambda: self._copy_over(reference),
                lambda: self._call("cp", "--remove-destination", str(self.disk), str(reference)),
            ]
            with suppress(OSError):
                self.dice.choice(ways)()

    def replace(self) -> None:
        """Put a clone of the disk in its place, or the reference."""
        new = self.disk.with_name("new")
        reference = self.weeks.reference
        source = reference if reference and reference.exists() and self.dice.random() < 0.5 else self.disk
        self._call("cp", "--reflink=always", str(source), str(new))
        new.chmod(0o600)
        if new.stat().st_size:
            new.replace(self.disk)

    def move(self) -> None:
        """Defragment it or move it about, as far as the file system can; its data stay."""
        name = "btrfs" if self._kind() == "btrfs" else "xfs_fsr"
        if name == "btrfs":
            self._call("btrfs", "filesystem", "defragment", str(self.disk))
            self._call("btrfs", "balance", "start", "--full-balance", "--enqueue", str(self.disk.parent))
        else:
            self._call(name, str(self.disk))

    def _kind(self) -> str:
        command = ["stat", "--file-system", "--format=%T", str(self.disk)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def _place(self, unit: int) -> tuple[int, int]:
        """Return a start and a length within the disk, in whole units."""
        size = self.disk.stat().st_size
        start = self.dice.randrange(0, size) // unit * unit
        length = self.dice.choice(
            [BLOCK, 3 * BLOCK, CHUNK_BYTES // 2, 2 * CHUNK_BYTES, self.dice.randrange(1, BLOCK)]
        )
        return start, max(min(length, size - start) // unit * unit, 1)

    def _copy_over(self, reference: Path) -> None:
        """Have the reference share all blocks with the disk as it is now, which isn't what was published."""
        self.write()
        self._call("cp", "--reflink=always", str(self.disk), str(reference))

    @staticmethod
    def _overwrite(path: Path, start: int, data: bytes) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(data)

    @staticmethod
    def _dedupe(source: int, start: int, target: int, at: int, length: int) -> None:
        with suppress(OSError):
            request = struct.pack("=QQHHLqQQlL", start, length, 1, 0, 0, target, at, 0, 0, 0)
            fcntl.ioctl(source, _FIDEDUPERANGE, bytearray(request))

    @staticmethod
    def _call(*command: str) -> None:
        """Run a command, which may fail: not everything is possible everywhere."""
        subprocess.run(command, capture_output=True, check=False)


def main(there: Path, elsewhere: Path, seed: int, steps: int) -> None:
    """Take so many steps, and print how many chunks were carried, and how many disks read whole."""
    weeks = Weeks(there, elsewhere)
    try:
        run = RandomWeeks(weeks, seed)
        run.run(steps)
    finally:
        weeks.end()
    host = weeks.backup().host
    assert isinstance(host, CloningHost)
    assert not (VmArchive(weeks.vault).folder_of("maq1") / "read-whole.json").exists()
    print(f"[{run.carried}, {run.whole}]")  # noqa: T201 - the answer


if __name__ == "__main__":
    main(Path(sys.argv[1], "mnt"), Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
