"""A full transfer of a disk of a VM that is off, over SSH on loopback: 4 GiB, half of them holes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.disks import fill
from bench.gigabit import Gigabit
from bench.others import Others
from bench.row import Row, in_turn, timed
from bench.vm import BenchVm, kvm_host, reached
from include.remote.ssh import connected
from tests.include.tcp_proxy import Wire
from tests.site.kvm_host import STATE

DISK_BYTES = 4 << 30
DATA_BYTES = 2 << 30
RUN = "this week"
IMAGED = "4 GiB, half holes: imaged, each chunk checked"
VERIFIED = "4 GiB, half holes: imaged, read back, published"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure all tools in turn on loopback; then ours and bare SSH at 1 Gbit/s."""
    with kvm_host(scratch / "kvm") as kvm, reached(kvm.connection) as transport:
        vm = BenchVm(kvm, transport, "maq1")
        kvm.define("maq1", {"vda": "raw"})
        fill(vm.disk("vda"), DISK_BYTES, DATA_BYTES)
        data = scratch / "data"
        fill(data, DATA_BYTES, DATA_BYTES)
        vm.begin_backup(RUN)
        yield from _rows(_on_loopback(vm, data, scratch, rounds))
        with Wire(kvm.ssh, Gigabit()) as wire, reached(wire.connection) as slow:
            took = _on_gigabit(BenchVm(kvm, slow, "maq1"), data, scratch, rounds)
        yield Row(f"{IMAGED}, at 1 Gbit/s", took["ours"], "ssh cat of the data to nowhere", took["wire"], 1.1)


def _rows(took: dict[str, float]) -> Iterator[Row]:
    yield Row(IMAGED, took["ours"], "ssh cat of the data to nowhere", took["wire"], 1.3)
    yield Row(IMAGED, took["ours"], "nbdcopy through a tunnel", took["nbdcopy"], None)
    yield Row(IMAGED, took["ours"], "rsync -S", took["rsync"], None)
    yield Row(IMAGED, took["ours"], "borg create, on the host itself", took["borg"], None)
    yield Row(IMAGED, took["ours"], "scp", took["scp"], 1 / 3)
    yield Row(VERIFIED, took["verified"], "scp, sha256sum at both ends", took["scp verified"], 1 / 3)


def _on_loopback(vm: BenchVm, data: Path, scratch: Path, rounds: int) -> dict[str, float]:
    (socket,) = vm.kvm.agents_folder.glob("x-*/vda.sock")
    remote_socket = f"{STATE}/{socket.parent.name}/{socket.name}"
    with connected(vm.transport.endpoint) as config:
        others = Others(config, vm.disk("vda"), scratch / "others")
        with others.tunnel(remote_socket) as tunnel:
            return _measured(_Ours(vm, scratch / "vault"), others, data, tunnel, rounds)


def _on_gigabit(vm: BenchVm, data: Path, scratch: Path, rounds: int) -> dict[str, float]:
    ours = _Ours(vm, scratch / "vault")
    with connected(vm.transport.endpoint) as config:
        others = Others(config, vm.disk("vda"), scratch / "others")
        measurements = {
            "ours": timed(ours.transfer, ours.fresh),
            "wire": timed(lambda: others.ssh_cat(data), ours.fresh),
        }
        return in_turn(measurements, rounds)


def _measured(ours: "_Ours", others: Others, data: Path, tunnel: Path, rounds: int) -> dict[str, float]:
    actions = {
        "ours": ours.transfer,
        "wire": lambda: others.ssh_cat(data),
        "nbdcopy": lambda: others.nbdcopy(tunnel),
        "rsync": lambda: others.rsync("-S"),
        "borg": lambda: others.borg("week"),
        "scp": others.scp,
        "verified": ours.transfer_and_verify,
        "scp verified": others.scp_verified,
    }

    def before() -> None:
        ours.fresh()
        others.fresh()

    return in_turn({name: timed(action, before) for name, action in actions.items()}, rounds)


class _Ours:
    """Our transfer, each time into an empty vault."""

    def __init__(self, vm: BenchVm, vault: Path) -> None:
        self._vm = vm
        self._vault = vault
        self._begun = vm.begin_backup(RUN)

    def fresh(self) -> None:
        """Remove the vault."""
        shutil.rmtree(self._vault, ignore_errors=True)
        self._backup = self._vm.backup(self._vault, RUN)

    def transfer(self) -> None:
        """Transfer the disk."""
        self._backup.transfer(self._begun)

    def transfer_and_verify(self) -> None:
        """Transfer the disk, verify it and publish it."""
        self.transfer()
        self._backup.verify(self._begun)
        self._backup.publish(self._begun)
