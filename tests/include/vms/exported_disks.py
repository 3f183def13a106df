"""The disks of an open backup on a host without libvirt: exported and sent as the agent does it."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from include.agent.disks.exports import start_nbd_servers, with_sizes
from include.agent.state_folder import StateFolder
from include.remote import zipapps
from include.remote.ssh import Endpoint, connected
from include.remote.transport import Transport
from include.vault.vault import Vault
from include.vms.backup import VmBackup
from include.vms.host import Host
from include.vms.image_stream import ImageSource
from include.vms.models import BackupRequest, BegunBackup, EndedBackup
from tests.include.vms.sample_vms import INSTANT, UUID, record
from tests.site.sshd import SshServer

MIB = 1 << 20


class ExportedDisks:
    """The disks of a run's open backup, on a host that is an SSH server.

    Args:
        server: the host.
        folder: the agent's state folder there; its path is short, as paths of sockets must be.
    """

    def __init__(self, server: SshServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._vm_folder = StateFolder(str(folder)).of(UUID)
        self._work_folder = folder / "x-work"
        self._work_folder.mkdir()
        name, program = zipapps.agent()
        self.program = folder / name
        self.program.write_bytes(program)

    def export(
        self, disks: Mapping[str, Path], run: str = "a run", instant: datetime = INSTANT
    ) -> BegunBackup:
        """Begin a backup of some images; ``*.qcow2`` is of that format, any other raw."""
        found = [{"name": name, "path": str(path), "format": _format(path)} for name, path in disks.items()]
        self.stop()
        return self.write_journal(start_nbd_servers(found, self._work_folder), run, instant)

    def write_journal(
        self, exports: list[dict[str, Any]], run: str = "a run", instant: datetime = INSTANT
    ) -> BegunBackup:
        """Write the state that the agent leaves when the disks of a backup are exported."""
        exports = with_sizes(exports)
        StateFolder(str(self.folder)).make()
        self._vm_folder.make()
        self._vm_folder.files.mkdir(exist_ok=True)
        (self._vm_folder.files / "domain.xml").write_text("<domain/>\n")
        self._vm_folder.journal.write("begin", run=run, vm="maq1", was="running", method="cold")
        self._vm_folder.journal.write(
            "ready", work_folder=str(self._work_folder), method="cold", exports=exports
        )
        fields = record().begun.model_dump() | {"run": run, "uuid": UUID, "instant": instant}
        about = {"format": "raw", "path": "/vms/it"}
        disks = [{"name": export["disk"], "bytes": export["bytes"], **about} for export in exports]
        return BegunBackup.model_validate({**fields, "disks": disks})

    def socket(self, name: str) -> Path:
        """Return the path of a socket for an export that a test starts by itself."""
        return self._work_folder / f"{name}.sock"

    def servers(self) -> list[int]:
        """Return the PIDs of the processes that export the disks."""
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if self._exports(process)]

    def signal_agent(self, sign: int) -> None:
        """Send a signal to the agent that sends the disks."""
        found = subprocess.run(
            ["pgrep", "-f", f"^python3 {self.program}"], capture_output=True, check=True
        ).stdout
        for pid in found.split():
            os.kill(int(pid), sign)

    def is_sending(self) -> bool:
        """Return whether an agent sends the disks, or waits for a worker that takes them."""
        return self._vm_folder.is_sending()

    def _exports(self, process: Path) -> bool:
        with suppress(OSError):
            program, *words = (process / "cmdline").read_bytes().split(b"\0")
            return program == b"qemu-nbd" and any(f"{self._work_folder}/".encode() in word for word in words)
        return False

    def kill_exports(self) -> None:
        """Kill the processes that export the disks."""
        for pid in self.servers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the backup."""
        self.kill_exports()
        while self.servers():
            time.sleep(0.01)
        for left in self._work_folder.iterdir():
            left.unlink()
        self._vm_folder.journal.path.unlink(missing_ok=True)

    @property
    def command(self) -> str:
        """The command that sends the disks, on the host."""
        return shlex.join(["python3", str(self.program), f"--state={self.folder}", "send", UUID])

    @contextmanager
    def source(
        self, begun: BegunBackup, connection: dict[str, Any] | None = None, command: str | None = None
    ) -> Iterator[ImageSource]:
        """Yield how the disks are reached; by another connection or command, if one is given."""
        with connected(endpoint(connection or self.server.connection)) as config:
            yield ImageSource(config, command or self.command, begun)


@dataclass(frozen=True)
class ExportingHost(Host):
    """A host without libvirt that exports images when a backup begins."""

    exported: ExportedDisks
    disks: Mapping[str, Path]
    instant: datetime = INSTANT
    asked: list[str] = field(default_factory=list)

    def begin_backup(self, uuid: str, request: BackupRequest) -> BegunBackup:
        """Export the disks."""
        self.asked.append(f"begin-backup {uuid}")
        return self.exported.export(self.disks, request.run, self.instant)

    def end_backup(self, uuid: str, run: str) -> EndedBackup:
        """Stop exporting them."""
        self.asked.append(f"end-backup {uuid} {run}")
        self.exported.stop()
        return EndedBackup(vm="maq1", state="running", repaired=(), scratch_bytes=0)


def transport(connection: dict[str, Any]) -> Transport:
    """Return the transport to a host, as tasks do."""
    from inpe_backup.ssh_transport import SshTransport  # noqa: PLC0415 - Airflow takes a second to import

    os.environ["AIRFLOW_CONN_KVM_HOST"] = json.dumps(connection)
    return SshTransport("kvm_host")


def backup_of(
    vault: Vault,
    exported: ExportedDisks,
    disks: Mapping[str, Path],
    run: str = "a run",
    instant: datetime = INSTANT,
) -> VmBackup:
    """Return the backup of a VM whose disks are some images."""
    ssh = transport(exported.server.connection)
    host = ExportingHost(ssh, "qemu:///system", str(exported.folder), None, exported, disks, instant)
    return VmBackup(vault, host, "maq1", UUID, run, 0, print)


def endpoint(connection: dict[str, Any]) -> Endpoint:
    """Return the endpoint of an Airflow connection."""
    extra = connection["extra"]
    host, port, login = (connection[key] for key in ("host", "port", "login"))
    return Endpoint(host, port, login, extra["host_key"], Path(extra["key_file"]).read_text(encoding="ascii"))


def image(path: Path, size: int, **parts: bytes) -> Path:
    """Write a sparse disk: ``image(path, 9 * MIB, at_3=data)`` has its data at chunk 3."""
    with path.open("wb") as disk:
        disk.truncate(size)
        for chunk, data in parts.items():
            disk.seek(int(chunk.removeprefix("at_")) * MIB)
            disk.write(data)
    return path


def noise(chunks: float = 1) -> bytes:
    """Return random data, which can't be compressed."""
    return os.urandom(int(chunks * MIB))


def allocated(path: Path) -> int:
    """Return what a file occupies on its disk, in bytes."""
    return path.stat().st_blocks * 512


def _format(path: Path) -> str:
    return "qcow2" if path.suffix == ".qcow2" else "raw"
