"""A VM restored in place after 2 % of its data were damaged: 4 GiB, half of them holes."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.disks import change, fill
from bench.gigabit import Gigabit
from bench.row import Row, in_turn, timed
from bench.vm import BenchVm, kvm_host, reached
from include.remote.ssh import HOST, connected
from include.restore.vm import VmRestore
from include.restore.vm_request import VmRestoreRequest
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from tests.include.tcp_proxy import Wire

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
NAME = "4 GiB, half holes, 2 % damaged: restored, read back"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Back a VM up, damage it, and measure in turn our restore and copies of the image."""
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as transport:
        vm = BenchVm(kvm, transport, "maq1")
        kvm.define("maq1", {"vda": "raw"})
        disk = vm.disk("vda")
        fill(disk, DISK_BYTES, DATA_BYTES)
        generation = _imaged(vm, scratch / "vault")
        changed = change(disk, DATA_BYTES)
        restores = _Restores(vm, scratch / "vault", generation, _Damaged(disk))
        took = restores.measured(["ours", "ours, kept", "rsync", "scp"], rounds)
        yield Row(NAME, took["ours"], "scp of the image", took["scp"], 0.25)
        yield Row(NAME, took["ours"], "rsync --inplace, unverified", took["rsync"], None)
        yield Row(
            f"{NAME}, old disk kept", took["ours, kept"], "scp of the image, old disk lost", took["scp"], None
        )
        yield Row(
            f"{NAME}: sent", restores.sent_bytes / 1e6, "the chunks that differ", changed / 1e6, 1.0, "MB"
        )
        with Wire(kvm.ssh, Gigabit()) as wire, reached(wire.connection) as slow:
            restores = replace(restores, vm=BenchVm(kvm, slow, "maq1"))
            took = restores.measured(["ours", "ours, kept", "scp"], rounds)
        yield Row(f"{NAME}, at 1 Gbit/s", took["ours"], "scp of the image", took["scp"], 0.25)
        kept = f"{NAME}, old disk kept, at 1 Gbit/s"
        yield Row(kept, took["ours, kept"], "scp of the image, old disk lost", took["scp"], 0.25)


@dataclass
class _Restores:
    """Restores of a VM's disk, by different tools.

    Args:
        vm: the VM, and the connection to its host.
        vault: the vault with its image.
        generation: the generation to restore.
        damaged: the disk as it is before each restore.
    """

    vm: BenchVm
    vault: Path
    generation: PublishedVm
    damaged: "_Damaged"
    runs: int = 0
    sent_bytes: int = 0

    def measured(self, names: list[str], rounds: int) -> dict[str, float]:
        """Measure these in turn; return the median seconds of each."""
        with connected(self.vm.transport.endpoint) as config:
            rsync = ["rsync", "--inplace", "-e", f"ssh -F {config}"]
            actions: dict[str, Callable[[], object]] = {
                "ours": lambda: self._restore(keep_old=False),
                "ours, kept": lambda: self._restore(keep_old=True),
                "rsync": lambda: self._copy(*rsync),
                "scp": lambda: self._copy("scp", "-q", "-F", str(config)),
            }
            return in_turn({name: timed(actions[name], self.damaged.put) for name in names}, rounds)

    def _restore(self, *, keep_old: bool) -> None:
        name = self.vm.name
        request = VmRestoreRequest(vm=name, how="in place", confirm=name, keep_old=keep_old)
        self.runs += 1
        vault, host = Vault(self.vault), self.vm.host
        restore = VmRestore(vault, host, request, self.generation, f"run {self.runs}", lambda _line: None)
        self.sent_bytes = restore.run_all().sent_bytes

    def _copy(self, *words: str) -> None:
        to = f"{HOST}:{self.vm.disk('vda')}"
        subprocess.run([*words, str(self.generation.image("vda")), to], check=True)


class _Damaged:
    """A damaged disk, to be put back before each restore."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._saved = disk.with_name("damaged")
        disk.rename(self._saved)

    def put(self) -> None:
        """Copy it to the VM's disk, remove files beside it, and flush; it stays in the page cache."""
        for left in self._disk.parent.glob(f"{self._disk.name}*"):
            left.unlink()
        subprocess.run(["cp", "--sparse=always", str(self._saved), str(self._disk)], check=True)
        subprocess.run(["sync"], check=True)


def _imaged(vm: BenchVm, vault: Path) -> PublishedVm:
    backup = vm.backup(vault, "last week")
    begun = backup.begin_backup(vm.request("last week"))
    backup.transfer(begun)
    backup.verify(begun)
    backup.end_backup()
    backup.publish(begun)
    return VmArchive(Vault(vault)).of(vm.name)[-1]
