"""A disk imaged whole, of a machine that is off, over SSH on loopback: 4 GiB, half of them holes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.disks import fill
from bench.gigabit import Gigabit
from bench.machine import Machine, kvm_host, reached
from bench.others import Others
from bench.programs import need
from bench.row import Row, in_turn, timed
from include.transfer import connected
from tests.include.wire import Wire
from tests.site.kvm_host import STATE

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
RUN = "this week"
IMAGED = "4 GiB, half holes: imaged, each chunk checked"
PROVEN = "4 GiB, half holes: imaged, read back, published"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure all ways in turn; then the wire alone and ours, where the wire is what takes the time."""
    need("borg", "nbdcopy", "rsync", "scp")
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as door:
        machine = Machine(kvm, door, "maq1")
        kvm.define("maq1", {"vda": "raw"})
        fill(machine.disk("vda"), DISK_BYTES, DATA_BYTES)
        data = scratch / "data"
        fill(data, DATA_BYTES, DATA_BYTES)
        machine.freeze(RUN)
        yield from _rows(_on_loopback(machine, data, scratch, rounds))
        with Wire(kvm.ssh, Gigabit()) as wire, reached(wire.connection) as slow:
            took = _on_gigabit(Machine(kvm, slow, "maq1"), data, scratch, rounds)
        yield Row(f"{IMAGED}, at 1 Gbit/s", took["ours"], "ssh cat of the data to nowhere", took["wire"], 1.1)


def _rows(took: dict[str, float]) -> Iterator[Row]:
    yield Row(IMAGED, took["ours"], "ssh cat of the data to nowhere", took["wire"], 1.3)
    yield Row(IMAGED, took["ours"], "nbdcopy through a tunnel", took["nbdcopy"], None)
    yield Row(IMAGED, took["ours"], "rsync -S", took["rsync"], None)
    yield Row(IMAGED, took["ours"], "borg create, on the host itself", took["borg"], None)
    yield Row(IMAGED, took["ours"], "scp", took["scp"], 1 / 3)
    yield Row(PROVEN, took["proven"], "scp, sha256sum at both ends", took["scp proven"], 1 / 3)


def _on_loopback(machine: Machine, data: Path, scratch: Path, rounds: int) -> dict[str, float]:
    (socket,) = machine.kvm.agents_folder.glob("x-*/vda.sock")
    there = f"{STATE}/{socket.parent.name}/{socket.name}"
    with connected(machine.door.route) as config:
        others = Others(config, machine.disk("vda"), scratch / "others")
        with others.tunnel(there) as tunnel:
            return _measured(_Ours(machine, scratch / "vault"), others, data, tunnel, rounds)


def _on_gigabit(machine: Machine, data: Path, scratch: Path, rounds: int) -> dict[str, float]:
    ours = _Ours(machine, scratch / "vault")
    with connected(machine.door.route) as config:
        others = Others(config, machine.disk("vda"), scratch / "others")
        ways = {"ours": timed(ours.pull, ours.fresh), "wire": timed(lambda: others.ssh_cat(data), ours.fresh)}
        return in_turn(ways, rounds)


def _measured(ours: "_Ours", others: Others, data: Path, tunnel: Path, rounds: int) -> dict[str, float]:
    ways = {
        "ours": ours.pull,
        "wire": lambda: others.ssh_cat(data),
        "nbdcopy": lambda: others.nbdcopy(tunnel),
        "rsync": lambda: others.rsync("-S"),
        "borg": lambda: others.borg("week"),
        "scp": others.scp,
        "proven": ours.pull_and_prove,
        "scp proven": others.scp_proven,
    }

    def before() -> None:
        ours.fresh()
        others.fresh()

    return in_turn({name: timed(way, before) for name, way in ways.items()}, rounds)


class _Ours:
    """Our way, each time into an empty vault."""

    def __init__(self, machine: Machine, vault: Path) -> None:
        self._machine = machine
        self._vault = vault
        self._frozen = machine.freeze(RUN)

    def fresh(self) -> None:
        """Remove what was made."""
        shutil.rmtree(self._vault, ignore_errors=True)
        self._backup = self._machine.backup(self._vault, RUN)

    def pull(self) -> None:
        """Receive it, checked."""
        self._backup.pull(self._frozen)

    def pull_and_prove(self) -> None:
        """Receive it, read it back, publish it."""
        self.pull()
        self._backup.prove(self._frozen)
        self._backup.publish(self._frozen)
