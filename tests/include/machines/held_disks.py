"""Disks that a host holds frozen, without libvirt: exported, laid and served as the agent does it."""

import json
import os
import shlex
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from include.agent.exports import measured, serve_files
from include.agent.folder import State
from include.machines.facts import FreezeRequest, Frozen, Released
from include.machines.host import Host, HostDoor
from include.machines.machine_backup import MachineBackup
from include.machines.served import Way
from include.machines.shipped import agent_file
from include.transfer import Route, connected
from include.vault import Vault
from tests.include.machines.machines import INSTANT, UUID, record
from tests.site.sshd import SshServer

MIB = 1 << 20


class HeldDisks:
    """A host's disks, held for a run behind an SSH server.

    Args:
        server: the host's.
        folder: the agent's there; its name is short, as sockets' names must be.
    """

    def __init__(self, server: SshServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._machine = State(str(folder)).of(UUID)
        self._room = folder / "room"
        self._room.mkdir()
        name, program = agent_file()
        self.program = folder / name
        self.program.write_bytes(program)

    def hold(self, disks: Mapping[str, Path], run: str = "a run", instant: datetime = INSTANT) -> Frozen:
        """Hold some images; what ends in ``.qcow2`` is of that format, all else raw."""
        found = [{"name": name, "path": str(path), "format": _format(path)} for name, path in disks.items()]
        self.let_go()
        return self.lay(serve_files(found, self._room), run, instant)

    def lay(self, exports: list[dict[str, Any]], run: str = "a run", instant: datetime = INSTANT) -> Frozen:
        """Write down what a freeze leaves when its disks are exported."""
        served = measured(exports)
        State(str(self.folder)).make()
        self._machine.make()
        self._machine.kept.mkdir(exist_ok=True)
        (self._machine.kept / "domain.xml").write_text("<domain/>\n")
        self._machine.journal.write("begin", run=run, machine="maq1", was="running", method="cold")
        self._machine.journal.write("ready", room=str(self._room), method="cold", exports=served)
        facts = record().frozen.model_dump() | {"run": run, "uuid": UUID, "instant": instant}
        about = {"format": "raw", "path": "/vms/it"}
        held = [{"name": export["disk"], "bytes": export["bytes"], **about} for export in served]
        return Frozen.model_validate({**facts, "disks": held})

    def socket(self, name: str) -> Path:
        """Give the place of a socket that a test serves by itself."""
        return self._room / f"{name}.sock"

    def servers(self) -> list[int]:
        """Give the processes that export the disks."""
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if self._serves(process)]

    def _serves(self, process: Path) -> bool:
        with suppress(OSError):
            program, *words = (process / "cmdline").read_bytes().split(b"\0")
            return program == b"qemu-nbd" and any(f"{self._room}/".encode() in word for word in words)
        return False

    def kill_exports(self) -> None:
        """End them at once."""
        for pid in self.servers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def let_go(self) -> None:
        """Hold nothing any more."""
        self.kill_exports()
        while self.servers():
            time.sleep(0.01)
        for left in self._room.iterdir():
            left.unlink()
        self._machine.journal.path.unlink(missing_ok=True)

    @property
    def command(self) -> str:
        """What serves them, on the host."""
        return shlex.join(["python3", str(self.program), f"--state={self.folder}", "serve", UUID])

    @contextmanager
    def way(
        self, frozen: Frozen, connection: dict[str, Any] | None = None, command: str | None = None
    ) -> Iterator[Way]:
        """Give the way to them; over a wire, with another command, if one is given."""
        with connected(route(connection or self.server.connection)) as config:
            yield Way(config, command or self.command, frozen)


@dataclass(frozen=True)
class HoldingHost(Host):
    """A host that holds images when it's asked to freeze a machine, and has no libvirt for it."""

    held: HeldDisks
    disks: Mapping[str, Path]
    instant: datetime = INSTANT
    asked: list[str] = field(default_factory=list)

    def freeze(self, uuid: str, request: FreezeRequest) -> Frozen:
        """Hold the disks."""
        self.asked.append(f"freeze {uuid}")
        return self.held.hold(self.disks, request.run, self.instant)

    def release(self, uuid: str, run: str) -> Released:
        """Let go of them."""
        self.asked.append(f"release {uuid} {run}")
        self.held.let_go()
        return Released(machine="maq1", state="running", repaired=(), scratch_bytes=0)


def door(connection: dict[str, Any]) -> HostDoor:
    """Open the way to a host, as tasks do."""
    from inpe_backup.ssh import SshDoor  # noqa: PLC0415 - Airflow takes a second to import

    os.environ["AIRFLOW_CONN_KVM_HOST"] = json.dumps(connection)
    return SshDoor("kvm_host")


def backup(
    vault: Vault,
    held: HeldDisks,
    disks: Mapping[str, Path],
    run: str = "a run",
    instant: datetime = INSTANT,
) -> MachineBackup:
    """Give the backup of a machine whose disks are some images."""
    way = door(held.server.connection)
    host = HoldingHost(way, "qemu:///system", str(held.folder), None, held, disks, instant)
    return MachineBackup(vault, host, "maq1", UUID, run, 0, print)


def route(connection: dict[str, Any]) -> Route:
    """Give the way to a server, as its connection says it."""
    extra = connection["extra"]
    host, port, login = (connection[key] for key in ("host", "port", "login"))
    return Route(host, port, login, extra["host_key"], extra["key_file"])


def image(path: Path, size: int, **parts: bytes) -> Path:
    """Write a sparse disk: ``image(path, 9 * MIB, at_0=data)`` has its data at the chunk that is named."""
    with path.open("wb") as disk:
        disk.truncate(size)
        for place, data in parts.items():
            disk.seek(int(place.removeprefix("at_")) * MIB)
            disk.write(data)
    return path


def noise(chunks: float = 1) -> bytes:
    """Give bytes that nothing can pack."""
    return os.urandom(int(chunks * MIB))


def allocated(path: Path) -> int:
    """Give what a file takes on its disk, in bytes."""
    return path.stat().st_blocks * 512


def _format(path: Path) -> str:
    return "qcow2" if path.suffix == ".qcow2" else "raw"
