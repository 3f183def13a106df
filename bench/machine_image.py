"""A disk imaged whole, of a machine that is off, over SSH on loopback: 4 GiB, half of them holes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.disks import fill
from bench.machine import Machine, kvm_host, reached
from bench.others import Others
from bench.programs import need
from bench.row import Row, in_turn, timed
from include.transfer import connected
from tests.site.kvm_host import STATE

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
RUN = "this week"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure all ways in turn."""
    need("borg", "nbdcopy", "rsync", "scp")
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as door:
        machine = Machine(kvm, door, "maq1")
        kvm.define("maq1", {"vda": "raw"})
        disk, data = kvm.disk("maq1", "vda"), scratch / "data"
        fill(disk, DISK_BYTES, DATA_BYTES)
        fill(data, DATA_BYTES, DATA_BYTES)
        machine.freeze(RUN)
        (socket,) = kvm.agents_folder.glob("x-*/vda.sock")
        with connected(door.route) as config:
            others = Others(config, disk, scratch / "others")
            with others.tunnel(f"{STATE}/{socket.parent.name}/{socket.name}") as tunnel:
                took = _measured(_Ours(machine, scratch / "vault"), others, data, tunnel, rounds)
        machine.host.release(machine.uuid, RUN)
    size = f"{DISK_BYTES >> 30} GiB, half holes"
    imaged, proven = f"{size}: imaged, each chunk checked", f"{size}: imaged, read back, published"
    yield Row(imaged, took["ours"], "ssh cat of the data to nowhere", took["ssh cat"], 1.3)
    yield Row(imaged, took["ours"], "nbdcopy through a tunnel", took["nbdcopy"], None)
    yield Row(imaged, took["ours"], "rsync -S", took["rsync"], None)
    yield Row(imaged, took["ours"], "borg create, on the host itself", took["borg"], None)
    yield Row(imaged, took["ours"], "scp", took["scp"], 1 / 3)
    yield Row(proven, took["proven"], "scp, sha256sum at both ends", took["scp proven"], 1 / 3)


def _measured(ours: "_Ours", others: Others, data: Path, tunnel: Path, rounds: int) -> dict[str, float]:
    ways = {
        "ours": ours.pull,
        "ssh cat": lambda: others.ssh_cat(data),
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
