"""How long a machine is down to be imaged, whatever its disks hold."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bench.disks import fill
from bench.machine import Machine, kvm_host, reached
from bench.row import Row, in_turn, timed

SIZES_GIB = (1, 4, 16, 64)
MOST_DATA = 1 << 30
SPARE_S = 1.0  # what imaging may add to a restart
GROWTH = 1.25


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure each size of disk; then the largest beside the smallest."""
    ours: list[float] = []
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as door:
        for size in SIZES_GIB:
            ways = _Ways(Machine(kvm, door, f"with_{size}_gib"), size << 30, scratch / "backup")
            bare = timed(ways.bare, ways.machine.wait_until_up)
            script = timed(ways.script, ways.machine.wait_until_up)
            took = in_turn({"ours": ways.ours, "bare": bare, "script": script}, rounds)
            ways.machine.remove()
            ours.append(took["ours"])
            name = f"{size} GiB: down until its disks are held, and it is back"
            most = (took["bare"] + SPARE_S) / took["bare"]
            yield Row(name, took["ours"], "virsh shutdown, start", took["bare"], most)
            yield Row(name, took["ours"], "virsh shutdown, cp, start", took["script"], 1.0)
    name = f"{SIZES_GIB[-1]} GiB: down until its disks are held, and it is back"
    yield Row(name, ours[-1], f"ours, {SIZES_GIB[0]} GiB", ours[0], GROWTH)


class _Ways:
    """The ways to hold a machine's disks as they are when it's off."""

    def __init__(self, machine: Machine, size: int, backup: Path) -> None:
        self.machine = machine
        self._kvm = machine.kvm
        self._domain = f"--domain={machine.name}"
        self._backup = backup
        self._runs = (f"run {number}" for number in count())
        self._kvm.define(machine.name, {"vda": "raw", "vdb": "raw"})
        fill(machine.disk("vdb"), size, min(size // 2, MOST_DATA))
        self._kvm.boot(machine.name)

    def ours(self) -> float:
        """Freeze and release it; gives the downtime as the record will have it."""
        self.machine.wait_until_up()
        run = next(self._runs)
        frozen = self.machine.freeze(run)
        self.machine.host.release(frozen.uuid, run)
        return frozen.downtime_s

    def bare(self) -> None:
        """Only restart it: nothing that stops a machine can take less."""
        self._stop()
        self._start()

    def script(self) -> None:
        """Copy its disks while it's off, as the scripts did."""
        self._stop()
        self._backup.mkdir(exist_ok=True)
        for target in ("vda", "vdb"):
            self._kvm.run("cp", str(self.machine.disk(target)), str(self._backup))
        self._start()

    def _stop(self) -> None:
        self._kvm.virsh("shutdown", self._domain)
        self._kvm.wait_for_state(self.machine.name, "shut off")

    def _start(self) -> None:
        self._kvm.virsh("start", self._domain)
        self._kvm.wait_for_state(self.machine.name, "running")
