"""How long a VM is down for its backup, for disks of different sizes."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from bench.disks import fill, scatter
from bench.row import Row, in_turn, timed
from bench.vm import BenchVm, kvm_host, reached

SIZES_GIB = (1, 4, 16, 64)
MOST_DATA = 1 << 30
SPARE_S = 1.0  # what a backup may add to a restart
CLONED_GIB, CLONED_SPARE_S = (4, 64), 0.3  # where the host's file system clones the disks
EXTENTS = 100_000  # of a scattered disk on XFS
XFS_BYTES = 64 << 30  # sparse
GROWTH = 1.25


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure each size of disk, then compare the largest with the smallest."""
    ours: list[float] = []
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as transport:
        for size in SIZES_GIB:
            vm = BenchVm(kvm, transport, f"with_{size}_gib")
            restarts = _Restarts(vm, partial(_fill, size=size << 30), scratch / "backup")
            bare = timed(restarts.bare, vm.wait_until_up)
            script = timed(restarts.script, vm.wait_until_up)
            took = in_turn({"ours": restarts.ours, "bare": bare, "script": script}, rounds)
            vm.remove()
            ours.append(took["ours"])
            name = f"{size} GiB: down until its disks are held, and it is back"
            most = (took["bare"] + SPARE_S) / took["bare"]
            yield Row(name, took["ours"], "virsh shutdown, start", took["bare"], most)
            yield Row(name, took["ours"], "virsh shutdown, cp, start", took["script"], 1.0)
    name = f"{SIZES_GIB[-1]} GiB: down until its disks are held, and it is back"
    yield Row(name, ours[-1], f"ours, {SIZES_GIB[0]} GiB", ours[0], GROWTH)
    yield from _cloned(scratch, rounds)


def _cloned(scratch: Path, rounds: int) -> Iterator[Row]:
    """The same where the host's file system clones the disks."""
    disks: dict[str, Callable[[Path], None]] = {
        f"{size} GiB on XFS": partial(_fill, size=size << 30) for size in CLONED_GIB
    }
    disks[f"{EXTENTS:,} extents on XFS"] = partial(scatter, extents=EXTENTS)
    with kvm_host(scratch / "kvm_xfs") as kvm, reached(kvm.connection) as transport:
        kvm.mount_disks("xfs", XFS_BYTES)
        for number, (name, make) in enumerate(disks.items()):
            vm = BenchVm(kvm, transport, f"on_xfs_{number}")
            restarts = _Restarts(vm, make, scratch / "backup")
            bare = timed(restarts.bare, vm.wait_until_up)
            took = in_turn({"ours": restarts.ours, "bare": bare}, rounds)
            kvm.virsh("destroy", f"--domain={vm.name}")
            how = "cloned" if restarts.cloned else "held"
            most = (took["bare"] + CLONED_SPARE_S) / took["bare"]
            what = f"{name}: down until its disks are {how}, and it is back"
            yield Row(what, took["ours"], "virsh shutdown, start", took["bare"], most)


def _fill(disk: Path, size: int) -> None:
    fill(disk, size, min(size // 2, MOST_DATA))


class _Restarts:
    """Restarts of a VM, with and without a backup of its disks while it is off."""

    def __init__(self, vm: BenchVm, make_disk: Callable[[Path], None], backup: Path) -> None:
        self.vm = vm
        self._kvm = vm.kvm
        self._domain = f"--domain={vm.name}"
        self._backup = backup
        self.cloned = False
        self._runs = (f"run {number}" for number in count())
        self._kvm.define(vm.name, {"vda": "raw", "vdb": "raw"})
        make_disk(self._kvm.seen(vm.disk("vdb")))
        self._kvm.boot(vm.name)

    def ours(self) -> float:
        """Begin and end a backup; return the downtime in seconds, as the record has it."""
        self.vm.wait_until_up()
        run = next(self._runs)
        begun = self.vm.begin_backup(run)
        self.vm.host.end_backup(begun.uuid, run)
        self.cloned = begun.cloned
        return begun.downtime_s

    def bare(self) -> None:
        """Only restart it, which is the minimum."""
        self._stop()
        self._start()

    def script(self) -> None:
        """Copy its disks while it is off, as the old scripts did."""
        self._stop()
        self._backup.mkdir(exist_ok=True)
        for target in ("vda", "vdb"):
            self._kvm.run("cp", str(self.vm.disk(target)), str(self._backup))
        self._start()

    def _stop(self) -> None:
        self._kvm.virsh("shutdown", self._domain)
        self._kvm.wait_for_state(self.vm.name, "shut off")

    def _start(self) -> None:
        self._kvm.virsh("start", self._domain)
        self._kvm.wait_for_state(self.vm.name, "running")
