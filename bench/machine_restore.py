"""A machine restored in place after 2 % of its data were damaged: 4 GiB, half of them holes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.disks import change, fill
from bench.machine import Machine, kvm_host, reached
from bench.programs import need
from bench.row import Row, in_turn, timed
from include.machines.generation import Generations, PublishedGeneration
from include.restore.machine_restore import MachineRestore
from include.restore.machine_wish import MachineWish
from include.transfer import connected
from include.vault import Vault

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Image it, damage it, and bring it back in turn: by a restore, and by copying the image back."""
    need("scp", "rsync")
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as door, connected(door.route) as config:
        machine = Machine(kvm, door, "maq1")
        kvm.define("maq1", {"vda": "raw"})
        disk = machine.disk("vda")
        fill(disk, DISK_BYTES, DATA_BYTES)
        generation = _imaged(machine, scratch / "vault")
        changed = change(disk, DATA_BYTES)
        damaged = _Damaged(disk)
        image, sent = str(generation.image("vda")), list[int]()

        def restore() -> None:
            sent.append(_restore(machine, scratch / "vault", generation, f"run {len(sent)}"))

        took = in_turn(
            {
                "ours": timed(restore, damaged.put),
                "rsync": timed(
                    lambda: _copy("rsync", "--inplace", "-e", f"ssh -F {config}", image, disk), damaged.put
                ),
                "scp": timed(lambda: _copy("scp", "-q", "-F", str(config), image, disk), damaged.put),
            },
            rounds,
        )
    name = "4 GiB, half holes, 2 % damaged: restored, read back"
    yield Row(name, took["ours"], "scp of the image", took["scp"], 0.25)
    yield Row(name, took["ours"], "rsync --inplace, old disk lost, unproven", took["rsync"], None)
    yield Row(f"{name}: sent", sent[-1] / 1e6, "the chunks that differ", changed / 1e6, 1.0, "MB")


class _Damaged:
    """A damaged disk, to be put back before each way."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._saved = disk.with_name("damaged")
        disk.rename(self._saved)

    def put(self) -> None:
        """Have it be the machine's disk, and nothing else of it there; written, and in the page cache."""
        for left in self._disk.parent.glob(f"{self._disk.name}*"):
            left.unlink()
        subprocess.run(["cp", "--sparse=always", str(self._saved), str(self._disk)], check=True)
        subprocess.run(["sync"], check=True)


def _imaged(machine: Machine, vault: Path) -> PublishedGeneration:
    backup = machine.backup(vault, "last week")
    frozen = backup.freeze(machine.request("last week"))
    backup.pull(frozen)
    backup.prove(frozen)
    backup.release()
    backup.publish(frozen)
    return Generations(Vault(vault)).of(machine.name)[-1]


def _restore(machine: Machine, vault: Path, generation: PublishedGeneration, run: str) -> int:
    """Restore it in place, the old disk kept; gives the bytes that were sent."""
    wish = MachineWish(machine=machine.name, how="in place", confirm=machine.name)
    restore = MachineRestore(Vault(vault), machine.host, wish, generation, run, lambda _line: None)
    return restore.run_all().sent_bytes


def _copy(program: str, *words: object) -> None:
    *options, image, disk = map(str, words)
    subprocess.run([program, *options, image, f"source:{disk}"], check=True)
