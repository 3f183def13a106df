"""A machine restored in place after 2 % of its data were damaged: 4 GiB, half of them holes."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.disks import change, fill
from bench.gigabit import Gigabit
from bench.machine import Machine, kvm_host, reached
from bench.programs import need
from bench.row import Row, in_turn, timed
from include.machines.generation import Generations, PublishedGeneration
from include.restore.machine_restore import MachineRestore
from include.restore.machine_wish import MachineWish
from include.transfer import connected
from include.vault import Vault
from tests.include.wire import Wire

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30


NAME = "4 GiB, half holes, 2 % damaged: restored, read back"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Image it, damage it, and bring it back in turn: by restores, and by copying the image back."""
    need("scp", "rsync")
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as door:
        machine = Machine(kvm, door, "maq1")
        kvm.define("maq1", {"vda": "raw"})
        disk = machine.disk("vda")
        fill(disk, DISK_BYTES, DATA_BYTES)
        generation = _imaged(machine, scratch / "vault")
        changed = change(disk, DATA_BYTES)
        ways = _Ways(machine, scratch / "vault", generation, _Damaged(disk))
        took = ways.measured(["ours", "ours, kept", "rsync", "scp"], rounds)
        yield Row(NAME, took["ours"], "scp of the image", took["scp"], 0.25)
        yield Row(NAME, took["ours"], "rsync --inplace, unproven", took["rsync"], None)
        yield Row(
            f"{NAME}, old disk kept", took["ours, kept"], "scp of the image, old disk lost", took["scp"], None
        )
        yield Row(f"{NAME}: sent", ways.sent_bytes / 1e6, "the chunks that differ", changed / 1e6, 1.0, "MB")
        with Wire(kvm.ssh, Gigabit()) as wire, reached(wire.connection) as slow:
            ways = replace(ways, machine=Machine(kvm, slow, "maq1"))
            took = ways.measured(["ours", "ours, kept", "scp"], rounds)
        yield Row(f"{NAME}, at 1 Gbit/s", took["ours"], "scp of the image", took["scp"], 0.25)
        kept = f"{NAME}, old disk kept, at 1 Gbit/s"
        yield Row(kept, took["ours, kept"], "scp of the image, old disk lost", took["scp"], 0.25)


@dataclass
class _Ways:
    """Ways to bring a machine's disk back.

    Args:
        machine: whose, and by which wire.
        vault: where its image is.
        generation: that.
        damaged: what is there before each.
    """

    machine: Machine
    vault: Path
    generation: PublishedGeneration
    damaged: "_Damaged"
    runs: int = 0
    sent_bytes: int = 0

    def measured(self, names: list[str], rounds: int) -> dict[str, float]:
        """Measure some of them in turn; gives the seconds of each."""
        with connected(self.machine.door.route) as config:
            rsync = ["rsync", "--inplace", "-e", f"ssh -F {config}"]
            ways: dict[str, Callable[[], object]] = {
                "ours": lambda: self._restore(keep_old=False),
                "ours, kept": lambda: self._restore(keep_old=True),
                "rsync": lambda: self._copy(*rsync),
                "scp": lambda: self._copy("scp", "-q", "-F", str(config)),
            }
            return in_turn({name: timed(ways[name], self.damaged.put) for name in names}, rounds)

    def _restore(self, *, keep_old: bool) -> None:
        name = self.machine.name
        wish = MachineWish(machine=name, how="in place", confirm=name, keep_old=keep_old)
        self.runs += 1
        vault, host = Vault(self.vault), self.machine.host
        restore = MachineRestore(vault, host, wish, self.generation, f"run {self.runs}", lambda _line: None)
        self.sent_bytes = restore.run_all().sent_bytes

    def _copy(self, *words: str) -> None:
        to = f"source:{self.machine.disk('vda')}"
        subprocess.run([*words, str(self.generation.image("vda")), to], check=True)


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
