"""A disk imaged a week later: 4 GiB, half of them holes, 2 % of the data changed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.disks import change, fill
from bench.machine import Machine, kvm_host, reached
from bench.others import Others
from bench.programs import need
from bench.row import Row, in_turn, timed
from include.machines.facts import Frozen
from include.transfer import connected
from tests.include.wire import Wire

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
LAST_WEEK, THIS_WEEK = "last week", "this week"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Have all ways image it, change it, and measure all ways in turn."""
    need("borg", "restic", "rsync", "scp")
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as door, connected(door.route) as config:
        machine, vault = Machine(kvm, door, "maq1"), scratch / "vault"
        kvm.define("maq1", {"vda": "raw"})
        disk = machine.disk("vda")
        fill(disk, DISK_BYTES, DATA_BYTES)
        others = _LastWeeks(Others(config, disk, scratch / "others"))
        _image(machine, vault)
        changed = change(disk, DATA_BYTES)
        frozen = machine.freeze(THIS_WEEK)
        took = _measured(machine, vault, others, frozen, rounds)
        carried = _carried(machine, vault, frozen)
    name = "4 GiB, half holes, 2 % changed: imaged, checked"
    yield Row(name, took["ours"], "rsync --inplace", took["rsync"], 0.25)
    yield Row(name, took["ours"], "borg create, on the host itself", took["borg"], 0.25)
    yield Row(name, took["ours"], "restic backup, on the host itself", took["restic"], 0.25)
    yield Row(name, took["ours"], "scp, all of it again", took["scp"], 0.25)
    yield Row(f"{name}: carried", carried / 1e6, "the chunks that changed", changed / 1e6, 1.5, "MB")


def _image(machine: Machine, vault: Path) -> None:
    backup = machine.backup(vault, LAST_WEEK)
    frozen = backup.freeze(machine.request(LAST_WEEK))
    backup.pull(frozen)
    backup.prove(frozen)
    backup.release()
    backup.publish(frozen)


def _measured(
    machine: Machine, vault: Path, others: "_LastWeeks", frozen: Frozen, rounds: int
) -> dict[str, float]:
    backup = machine.backup(vault, THIS_WEEK)

    def before() -> None:
        machine.forget_staged(vault)
        os.sync()

    ways = {
        "ours": timed(lambda: backup.pull(frozen), before),
        "rsync": timed(lambda: others.ways.rsync("--inplace"), lambda: others.restore("rsync")),
        "borg": timed(lambda: others.ways.borg(THIS_WEEK), lambda: others.restore("borg")),
        "restic": timed(others.ways.restic, lambda: others.restore("restic")),
        "scp": timed(others.ways.scp, lambda: others.restore("scp")),
    }
    return in_turn(ways, rounds)


def _carried(machine: Machine, vault: Path, frozen: Frozen) -> int:
    """Count the bytes that come over the wire for it, with all that SSH adds."""
    machine.forget_staged(vault)
    with Wire(machine.kvm.ssh) as wire, reached(wire.connection) as door:
        Machine(machine.kvm, door, machine.name).backup(vault, THIS_WEEK).pull(frozen)
        return wire.carried


class _LastWeeks:
    """What others made of the disk a week ago, and can be put back to."""

    def __init__(self, ways: Others) -> None:
        self.ways = ways
        ways.fresh()
        ways.rsync("-S")
        ways.borg(LAST_WEEK)
        ways.restic()
        self._saved = ways.folder.with_name("last week")
        ways.folder.rename(self._saved)

    def restore(self, way: str) -> None:
        """Put one way back to where it was; it finds all of it in the page cache, as ours does."""
        shutil.rmtree(self.ways.folder / way, ignore_errors=True)
        self.ways.folder.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", str(self._saved / way), str(self.ways.folder)], check=True)
        os.sync()
