"""The transfer of a disk a week later: 4 GiB, half of them holes, 2 % of the data changed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.disks import change, fill
from bench.others import Others
from bench.row import Row, in_turn, timed
from bench.vm import BenchVm, kvm_host, reached
from include.remote.ssh import connected
from tests.include.tcp_proxy import Wire
from tests.site.systemctl import systemctl

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
LAST_WEEK, THIS_WEEK = "last week", "this week"
USUAL, ALMOST_NONE = 8, 1000  # one in so many unchanged chunks is read again
SIZES_GIB = (4, 16, 64)  # on XFS, with the same data and the same changes
SMALLEST_GIB = SIZES_GIB[0]
XFS_BYTES = 128 << 30  # sparse: holds three disks' data, and the vault's images of them


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Copy a disk with all tools, change it, and measure all tools in turn."""
    with (
        kvm_host(scratch / "kvm") as kvm,
        reached(kvm.connection) as transport,
        connected(transport.endpoint) as config,
    ):
        vm, vault = BenchVm(kvm, transport, "maq1"), scratch / "vault"
        kvm.define("maq1", {"vda": "raw"})
        disk = vm.disk("vda")
        fill(disk, DISK_BYTES, DATA_BYTES)
        others = _LastWeek(Others(config, disk, scratch / "others"))
        _image(vm, vault)
        changed = change(disk, DATA_BYTES)
        ours = {"ours": _Ours(vm, vault).without_snapshot()}
        scp = timed(others.tools.scp, lambda: others.restore("scp"))
        took = _measured({**ours, "scp": scp}, others, rounds)
        carried = _carried(vm, vault)
    name = "4 GiB, half holes, 2 % changed: imaged, checked"
    yield Row(name, took["ours"], "rsync --inplace", took["rsync"], 0.25)
    yield Row(name, took["ours"], "borg create, on the host itself", took["borg"], 0.25)
    yield Row(name, took["ours"], "restic backup, on the host itself", took["restic"], 0.25)
    yield Row(name, took["ours"], "scp, all of it again", took["scp"], 0.25)
    yield Row(f"{name}: carried", carried / 1e6, "the chunks that changed", changed / 1e6, 1.5, "MB")
    yield from _on_xfs(scratch, rounds)


def _on_xfs(scratch: Path, rounds: int) -> Iterator[Row]:
    """The same where the file systems of host and vault share blocks, and last week's clones are there.

    The VMs are off: a snapshot has no shutdown in it.
    """
    with (
        kvm_host(scratch / "kvm_xfs") as kvm,
        systemctl(kvm),
        reached(kvm.connection) as transport,
        connected(transport.endpoint) as config,
    ):
        kvm.mount_disks("xfs", XFS_BYTES)
        vault, vms = kvm.seen(kvm.disks) / "vault", {}
        for gib in SIZES_GIB:
            vms[gib] = BenchVm(kvm, transport, f"with_{gib}_gib")
            kvm.define(vms[gib].name, {"vda": "raw"})
            fill(kvm.seen(vms[gib].disk("vda")), gib << 30, DATA_BYTES)
        disk = vms[SMALLEST_GIB].disk("vda")
        others = _LastWeek(Others(config, disk, scratch / "others_xfs", here=kvm.seen(disk)))
        for vm in vms.values():
            _image(vm, vault)
            change(kvm.seen(vm.disk("vda")), DATA_BYTES)
        yield from _xfs_rows(_measured(_ours_on_xfs(vms, vault), others, rounds))


def _ours_on_xfs(vms: Mapping[int, BenchVm], vault: Path) -> dict[str, Callable[[], float]]:
    measured = {f"{gib} GiB": _Ours(vm, vault, ALMOST_NONE).with_snapshot() for gib, vm in vms.items()}
    smallest = vms[SMALLEST_GIB]
    measured["transfer"] = _Ours(smallest, vault, ALMOST_NONE).without_snapshot()
    return {**measured, "reread": _Ours(smallest, vault, USUAL).with_snapshot()}


def _xfs_rows(took: Mapping[str, float]) -> Iterator[Row]:
    name = f"{SMALLEST_GIB} GiB on XFS, half holes, 2 % changed"
    whole, ours = f"{name}: snapshot, imaged, checked", took[f"{SMALLEST_GIB} GiB"]
    yield Row(whole, ours, "rsync --inplace", took["rsync"], 0.2)
    yield Row(whole, ours, "borg create, on the host itself", took["borg"], 0.4)
    yield Row(whole, ours, "restic backup, on the host itself", took["restic"], 0.1)
    yield Row(f"{whole}, 1/{USUAL} read again", took["reread"], "rsync --inplace", took["rsync"], None)
    yield Row(f"{name}: imaged, checked", took["transfer"], "rsync --inplace", took["rsync"], None)
    for gib in SIZES_GIB[1:]:
        same = f"{gib} GiB on XFS, as much data and as many changes: snapshot, imaged, checked"
        yield Row(same, took[f"{gib} GiB"], f"ours, {SMALLEST_GIB} GiB", ours, 1.3)


def _image(vm: BenchVm, vault: Path) -> None:
    backup = vm.backup(vault, LAST_WEEK)
    begun = backup.begin_backup(vm.request(LAST_WEEK))
    backup.transfer(begun)
    backup.verify(begun)
    backup.publish(begun)
    backup.end_backup()


def _measured(ours: Mapping[str, Callable[[], float]], others: "_LastWeek", rounds: int) -> dict[str, float]:
    measurements = {
        **ours,
        "rsync": timed(lambda: others.tools.rsync("--inplace"), lambda: others.restore("rsync")),
        "borg": timed(lambda: others.tools.borg(THIS_WEEK), lambda: others.restore("borg")),
        "restic": timed(others.tools.restic, lambda: others.restore("restic")),
    }
    return in_turn(measurements, rounds)


def _carried(vm: BenchVm, vault: Path) -> int:
    """Count the bytes that are sent over the network, including SSH's own."""
    with Wire(vm.kvm.ssh) as wire, reached(wire.connection) as transport:
        ours = _Ours(BenchVm(vm.kvm, transport, vm.name), vault)
        ours.begin()
        before = wire.carried
        ours.transfer()
        carried = wire.carried - before
        ours.end()
        return carried


class _Ours:
    """This week's backup: its transfer; of a backup job, also what was sent read back, and its end."""

    def __init__(self, vm: BenchVm, vault: Path, reread_share: int = USUAL) -> None:
        self._vm, self._vault, self._reread_share = vm, vault, reread_share

    def with_snapshot(self) -> Callable[[], float]:
        """Return a function that times it from the call that begins it on the host."""
        return timed(self._image, self._clear, self.end)

    def without_snapshot(self) -> Callable[[], float]:
        """Return a function that times it once it has begun."""
        return timed(self.transfer, self.begin, self.end)

    def begin(self) -> None:
        """Begin it."""
        self._clear()
        self._begin()
        os.sync()

    def transfer(self) -> None:
        """Transfer the disk."""
        self._vm.backup(self._vault, THIS_WEEK, self._reread_share).transfer(self._begun)

    def end(self) -> None:
        """End it on the host, which images one VM at a time."""
        self._vm.host.end_backup(self._vm.uuid, THIS_WEEK)

    def _image(self) -> None:
        self._begin()
        self.transfer()

    def _begin(self) -> None:
        self._begun = self._vm.begin_backup(THIS_WEEK)

    def _clear(self) -> None:
        self._vm.clear_staging(self._vault)
        os.sync()


class _LastWeek:
    """The copies that other tools made of the disk a week ago, to be restored before each measurement."""

    def __init__(self, tools: Others) -> None:
        self.tools = tools
        tools.fresh()
        tools.rsync("-S")
        tools.borg(LAST_WEEK)
        tools.restic()
        self._saved = tools.folder.with_name(f"{tools.folder.name} last week")
        tools.folder.rename(self._saved)

    def restore(self, tool: str) -> None:
        """Restore the copy of one tool; it is in the page cache then, as ours is."""
        shutil.rmtree(self.tools.folder / tool, ignore_errors=True)
        self.tools.folder.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", str(self._saved / tool), str(self.tools.folder)], check=True)
        os.sync()
