"""The transfer of a disk a week later: 4 GiB, half of them holes, 2 % of the data changed."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
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
        took = _measured({"ours": _Ours(vm, vault)}, others, rounds)
        carried = _carried(vm, vault)
    name = "4 GiB, half holes, 2 % changed: imaged, checked"
    yield Row(name, took["ours"], "rsync --inplace", took["rsync"], 0.25)
    yield Row(name, took["ours"], "borg create, on the host itself", took["borg"], 0.25)
    yield Row(name, took["ours"], "restic backup, on the host itself", took["restic"], 0.25)
    yield Row(name, took["ours"], "scp, all of it again", took["scp"], 0.25)
    yield Row(f"{name}: carried", carried / 1e6, "the chunks that changed", changed / 1e6, 1.5, "MB")
    yield from _on_xfs(scratch, rounds)


def _on_xfs(scratch: Path, rounds: int) -> Iterator[Row]:
    """The same where the file systems of host and vault share blocks, and last week's clones are there."""
    with (
        kvm_host(scratch / "kvm_xfs") as kvm,
        systemctl(kvm),
        reached(kvm.connection) as transport,
        connected(transport.endpoint) as config,
    ):
        kvm.mount_disks("xfs", 6 * DATA_BYTES)
        vm, vault = BenchVm(kvm, transport, "maq1"), kvm.seen(kvm.disks) / "vault"
        kvm.define("maq1", {"vda": "raw"})
        disk = kvm.seen(vm.disk("vda"))
        fill(disk, DISK_BYTES, DATA_BYTES)
        others = _LastWeek(Others(config, vm.disk("vda"), scratch / "others_xfs", here=disk))
        _image(vm, vault)
        change(disk, DATA_BYTES)
        shares = {f"1/{share}": _Ours(vm, vault, share) for share in (ALMOST_NONE, USUAL)}
        took = _measured(shares, others, rounds)
    name = "4 GiB on XFS, half holes, 2 % changed"
    ours, usual = took[f"1/{ALMOST_NONE}"], took[f"1/{USUAL}"]
    yield Row(f"{name}: not read again", ours, "rsync --inplace", took["rsync"], 0.2)
    yield Row(f"{name}: not read again", ours, "borg create, on the host itself", took["borg"], 0.4)
    yield Row(f"{name}: not read again", ours, "restic backup, on the host itself", took["restic"], 0.1)
    yield Row(f"{name}: 1/{USUAL} read again", usual, "rsync --inplace", took["rsync"], None)


def _image(vm: BenchVm, vault: Path) -> None:
    backup = vm.backup(vault, LAST_WEEK)
    begun = backup.begin_backup(vm.request(LAST_WEEK))
    backup.transfer(begun)
    backup.verify(begun)
    backup.publish(begun)
    backup.end_backup()


def _measured(ours: "Mapping[str, _Ours]", others: "_LastWeek", rounds: int) -> dict[str, float]:
    measurements = {name: timed(one.transfer, one.begin) for name, one in ours.items()}
    measurements |= {
        "rsync": timed(lambda: others.tools.rsync("--inplace"), lambda: others.restore("rsync")),
        "borg": timed(lambda: others.tools.borg(THIS_WEEK), lambda: others.restore("borg")),
        "restic": timed(others.tools.restic, lambda: others.restore("restic")),
        "scp": timed(others.tools.scp, lambda: others.restore("scp")),
    }
    return in_turn(measurements, rounds)


def _carried(vm: BenchVm, vault: Path) -> int:
    """Count the bytes that are sent over the network, including SSH's own."""
    with Wire(vm.kvm.ssh) as wire, reached(wire.connection) as transport:
        ours = _Ours(BenchVm(vm.kvm, transport, vm.name), vault)
        ours.begin()
        before = wire.carried
        ours.transfer()
        return wire.carried - before


class _Ours:
    """This week's backup: its transfer; of a backup job, also what was sent read back, and its end."""

    def __init__(self, vm: BenchVm, vault: Path, reread_share: int = USUAL) -> None:
        self._vm, self._vault, self._reread_share = vm, vault, reread_share

    def begin(self) -> None:
        """Begin it; the last one has ended."""
        self._vm.clear_staging(self._vault)
        self._begun = self._vm.begin_backup(THIS_WEEK)
        os.sync()

    def transfer(self) -> None:
        """Transfer the disk."""
        self._vm.backup(self._vault, THIS_WEEK, self._reread_share).transfer(self._begun)


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
