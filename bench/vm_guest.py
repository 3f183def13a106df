"""What a guest notices of its backup: how fast it writes to its disk meanwhile."""

import shutil
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from bench.disks import change, fill
from bench.row import Row, in_turn
from bench.vm import BenchVm, kvm_host, reached
from include.vms.backup import VmBackup
from include.vms.models import BegunBackup
from tests.site.systemctl import systemctl

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
WRITTEN_BYTES = 512 << 20  # on XFS: more than it writes meanwhile, so that all it writes is shared
XFS_BYTES = 64 << 30  # of its file system, sparse
XFS_DATA_BYTES = 1 << 30  # of what isn't written to
ALONE_S = 4.0
LEAST = 0.9
WRITE_MB = (4 << 20) / 1e6
WRITES, ALONE = "a guest's own writes, synced", "while nobody images it"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure a guest that writes as fast as it can."""
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as transport:
        vm = BenchVm(kvm, transport, "maq1")
        kvm.define("maq1", {"vda": "raw", "vdb": "raw"}, busy=True)
        fill(vm.disk("vdb"), DISK_BYTES, DATA_BYTES)
        kvm.boot("maq1")
        speeds = _Speeds(vm, scratch / "vault")
        found = in_turn({"imaged": speeds.imaged, "alone": speeds.alone}, rounds)
    yield Row(f"{WRITES}, while it's imaged", found["imaged"], ALONE, found["alone"], None, "MB/s")
    yield from _on_xfs(scratch, rounds)


def _on_xfs(scratch: Path, rounds: int) -> Iterator[Row]:
    """The same on XFS, and what each part of a backup by clones costs."""
    with kvm_host(scratch / "kvm_xfs") as kvm, systemctl(kvm), reached(kvm.connection) as transport:
        kvm.mount_disks("xfs", XFS_BYTES)
        vm, other = (BenchVm(kvm, transport, name) for name in ("maq1", "maq2"))
        kvm.define(vm.name, {"vda": "raw", "vdb": "raw", "vdc": "raw"}, busy=True)
        kvm.define(other.name, {"vda": "raw", "vdc": "raw"})
        fill(kvm.seen(vm.disk("vdb")), WRITTEN_BYTES, WRITTEN_BYTES)
        for disk in (vm.disk("vdc"), other.disk("vdc")):
            fill(kvm.seen(disk), DISK_BYTES, XFS_DATA_BYTES)
        kvm.boot(vm.name)
        folder = kvm.seen(kvm.disks)
        weekly = _Speeds(vm, folder / "vault")
        weekly.publish()
        change(kvm.seen(vm.disk("vdc")), XFS_DATA_BYTES)
        first = _Speeds(vm, folder / "first")
        measured = {"weekly": weekly.imaged_again, "held": weekly.held, "alone": weekly.alone}
        measured |= {"first": first.imaged, "beside": lambda: first.while_imaging(other)}
        found = in_turn(measured, rounds)
    name, alone = f"{WRITES}, on XFS", found["alone"]
    yield Row(f"{name}, while its second image is made", found["weekly"], ALONE, alone, None, "MB/s", LEAST)
    yield Row(f"{name}, while its backup is open and idle", found["held"], ALONE, alone, None, "MB/s")
    yield Row(f"{name}, while its first image is made", found["first"], ALONE, alone, None, "MB/s")
    yield Row(f"{name}, while another VM, off, is imaged", found["beside"], ALONE, alone, None, "MB/s")


class _Speeds:
    """How fast the guest writes, in MB/s."""

    def __init__(self, vm: BenchVm, vault: Path) -> None:
        self._vm = vm
        self._vault = vault
        self._runs = (f"run {number}" for number in count())

    def publish(self) -> None:
        """Have an image of last week."""
        backup, begun = self._begun(self._vm)
        backup.transfer(begun)
        backup.verify(begun)
        backup.publish(begun)
        backup.end_backup()

    def imaged(self) -> float:
        """Measure while its disks are transferred whole."""
        return self.while_imaging(self._vm)

    def while_imaging(self, other: BenchVm) -> float:
        """Measure while the disks of a VM are transferred whole."""
        shutil.rmtree(self._vault, ignore_errors=True)
        return self._with(other, VmBackup.transfer)

    def imaged_again(self) -> float:
        """Measure while what changed since last week is transferred."""
        return self._with(self._vm, VmBackup.transfer)

    def held(self) -> float:
        """Measure while its backup is open, and nobody reads it."""
        return self._with(self._vm, lambda _backup, _begun: time.sleep(ALONE_S))

    def alone(self) -> float:
        """Measure without a backup."""
        return self._during(lambda: time.sleep(ALONE_S))

    def _with(self, vm: BenchVm, action: Callable[[VmBackup, BegunBackup], object]) -> float:
        backup, begun = self._begun(vm)
        speed = self._during(lambda: action(backup, begun))
        backup.end_backup()
        return speed

    def _begun(self, vm: BenchVm) -> tuple[VmBackup, BegunBackup]:
        run = next(self._runs)
        backup = vm.backup(self._vault, run)
        return backup, backup.begin_backup(vm.request(run))

    def _during(self, action: Callable[[], object]) -> float:
        self._vm.wait_until_up()
        before, began = self._writes(), time.perf_counter()
        action()
        return (self._writes() - before) * WRITE_MB / (time.perf_counter() - began)

    def _writes(self) -> int:
        return self._vm.kvm.console(self._vm.name).count("guest: wrote")
