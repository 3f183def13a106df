"""What a guest notices of its backup: how fast it writes to its disk meanwhile."""

import shutil
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from bench.disks import fill
from bench.row import Row, in_turn
from bench.vm import BenchVm, kvm_host, reached

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
ALONE_S = 5.0
WRITE_MB = (4 << 20) / 1e6


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure a guest that writes as fast as it can."""
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as transport:
        vm = BenchVm(kvm, transport, "maq1")
        kvm.define("maq1", {"vda": "raw", "vdb": "raw"}, busy=True)
        fill(vm.disk("vdb"), DISK_BYTES, DATA_BYTES)
        kvm.boot("maq1")
        speeds = _Speeds(vm, scratch / "vault")
        found = in_turn({"imaged": speeds.imaged, "alone": speeds.alone}, rounds)
    name = "a guest's own writes, synced, while it's imaged"
    yield Row(name, found["imaged"], "while nobody images it", found["alone"], None, "MB/s")


class _Speeds:
    """How fast the guest writes, in MB/s."""

    def __init__(self, vm: BenchVm, vault: Path) -> None:
        self._vm = vm
        self._vault = vault
        self._runs = (f"run {number}" for number in count())

    def imaged(self) -> float:
        """Measure while its disks are transferred."""
        run = next(self._runs)
        shutil.rmtree(self._vault, ignore_errors=True)
        backup = self._vm.backup(self._vault, run)
        begun = backup.begin_backup(self._vm.request(run))
        speed = self._during(lambda: backup.transfer(begun))
        backup.end_backup()
        return speed

    def alone(self) -> float:
        """Measure without a backup."""
        return self._during(lambda: time.sleep(ALONE_S))

    def _during(self, action: Callable[[], object]) -> float:
        self._vm.wait_until_up()
        before, began = self._writes(), time.perf_counter()
        action()
        return (self._writes() - before) * WRITE_MB / (time.perf_counter() - began)

    def _writes(self) -> int:
        return self._vm.kvm.console(self._vm.name).count("guest: wrote")
