"""What a guest notices of being imaged: how fast it writes to its disk meanwhile."""

import shutil
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from bench.disks import fill
from bench.machine import Machine, kvm_host, reached
from bench.row import Row, in_turn

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
ALONE_S = 5.0
WRITE_MB = (4 << 20) / 1e6


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure a guest that writes as fast as it can."""
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as door:
        machine = Machine(kvm, door, "maq1")
        kvm.define("maq1", {"vda": "raw", "vdb": "raw"}, busy=True)
        fill(machine.disk("vdb"), DISK_BYTES, DATA_BYTES)
        kvm.boot("maq1")
        speeds = _Speeds(machine, scratch / "vault")
        found = in_turn({"imaged": speeds.imaged, "alone": speeds.alone}, rounds)
    name = "a guest's own writes, synced, while it's imaged"
    yield Row(name, found["imaged"], "while nobody images it", found["alone"], None, "MB/s")


class _Speeds:
    """How fast it writes, in MB/s."""

    def __init__(self, machine: Machine, vault: Path) -> None:
        self._machine = machine
        self._vault = vault
        self._runs = (f"run {number}" for number in count())

    def imaged(self) -> float:
        """While it's pulled."""
        run = next(self._runs)
        shutil.rmtree(self._vault, ignore_errors=True)
        backup = self._machine.backup(self._vault, run)
        frozen = backup.freeze(self._machine.request(run))
        speed = self._during(lambda: backup.pull(frozen))
        backup.release()
        return speed

    def alone(self) -> float:
        """While it isn't."""
        return self._during(lambda: time.sleep(ALONE_S))

    def _during(self, what: Callable[[], object]) -> float:
        self._machine.wait_until_up()
        before, began = self._writes(), time.perf_counter()
        what()
        return (self._writes() - before) * WRITE_MB / (time.perf_counter() - began)

    def _writes(self) -> int:
        return self._machine.kvm.console(self._machine.name).count("guest: wrote")
