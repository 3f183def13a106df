"""A host whose file system clones a VM's disk, without libvirt and SSH, but with the shipped agent.

It runs in a process that has the file system mounted; see ``on`` of ``test_clones.py``.
"""

import shlex
import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from include.agent.backup import cloned_disks, reference_timer, references
from include.agent.backup.steps import Steps
from include.agent.disks import exports
from include.agent.state_folder import StateFolder, VmFolder
from include.agent.virsh import Virsh
from include.errors import HostError
from include.remote import zipapps
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.backup import VmBackup
from include.vms.chunks import CHUNK_BYTES
from include.vms.host import Host
from include.vms.models import BackupRequest, BegunBackup, EndedBackup, KeptReference, ReferenceLabel
from tests.include.vms.folder_host import REQUEST, NoTransport
from tests.include.vms.sample_vms import INSTANT, UUID, record


class Off(Virsh):
    """A libvirt whose VM is always off."""

    def is_active(self, uuid: str) -> bool:  # noqa: ARG002 - the signature of Virsh
        """Return that it is off."""
        return False


VIRSH = Off("qemu:///nowhere")


@dataclass(frozen=True)
class CloningHost(Host):
    """The host.

    Args:
        disk: the VM's only disk.
        instant: of the next backup.
        unreachable: whether it can't be asked to keep a reference.
        asked: the agent's commands that ran.
    """

    disk: Path = Path()
    instant: datetime = INSTANT
    unreachable: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def vm_folder(self) -> VmFolder:
        """The agent's folder of the VM."""
        return StateFolder(self.state).of(UUID)

    @property
    def reference(self) -> Path | None:
        """The clone that is the reference; None if there is none."""
        found = references.folders(self.vm_folder)
        return Path(found[0], "vda.clone") if found else None

    def begin_backup(self, uuid: str, request: BackupRequest) -> BegunBackup:
        """Clone the disk, and export the clone."""
        state, folder = StateFolder(self.state), self.vm_folder
        state.make()
        folder.make()
        steps, work = Steps(folder.journal), folder.new_work_folder(None)
        steps.begin("begin", run=request.run, vm="maq1", was="running", work_folder=str(work))
        folder.make_work_folder(work)
        folder.files.mkdir(exist_ok=True)
        (folder.files / "domain.xml").write_text("<domain/>\n")
        about = {"name": "vda", "format": "raw", "path": str(self.disk), "kind": "file"}
        disks = [{**about, "chain": [str(self.disk)], "bytes": self.disk.stat().st_size}]
        assert cloned_disks.remove_left(folder, disks) == []
        made = cloned_disks.ClonedDisks(folder, disks)
        made.make_folders(steps)
        assert made.make(lambda: True)
        labels, exported = made.sync(), exports.with_sizes(made.export(work))
        steps.begin("ready", work_folder=str(work), cloned=True, clones=labels, exports=exported)
        fields = record().begun.model_dump() | {"run": request.run, "uuid": uuid, "instant": self.instant}
        snapshot = {"name": "vda", "format": "raw", "bytes": exported[0]["bytes"], "path": str(self.disk)}
        return BegunBackup.model_validate({**fields, "cloned": True, "disks": [snapshot]})

    def end_backup(self, uuid: str, run: str) -> EndedBackup:  # noqa: ARG002 - the signature of Host
        """End it as the agent does."""
        folder = self.vm_folder
        for work in folder.work_folders():
            exports.end_processes(work)
            assert folder.remove_work_folder(work)
        assert cloned_disks.remove(folder) == []
        folder.journal.close()
        return EndedBackup(vm=uuid, state="running", repaired=(), scratch_bytes=0)

    def keep_reference(self, uuid: str, label: ReferenceLabel) -> KeptReference:
        """Keep the clones."""
        self.asked.append("keep-reference")
        if self.unreachable:
            raise HostError("The host can't be reached.")
        kept = reference_timer.keep(StateFolder(self.state), VIRSH, uuid, label.model_dump(mode="json"))
        return KeptReference.model_validate(kept)

    def drop_reference(self, uuid: str, why: str) -> KeptReference:
        """Remove them."""
        self.asked.append(f"drop-reference {why}")
        references.drop_locked(StateFolder(self.state).of(uuid), why)
        return KeptReference(kept=False, reason=why)

    def install_agent(self) -> Self:
        """Install the agent in its folder."""
        name, program = zipapps.agent()
        (Path(self.state) / name).write_bytes(program)
        return self

    def command(self, *words: str) -> str:
        """Return the command line of the agent."""
        program = Path(self.state) / zipapps.agent().name
        return shlex.join([sys.executable, str(program), f"--state={self.state}", *words])


class Weeks:
    """A VM that is backed up again and again.

    Args:
        there: a folder on the file system that clones.
        elsewhere: a folder for the agent's state and the vault; its path is short.
        share: one in so many unchanged chunks is read again.
    """

    def __init__(self, there: Path, elsewhere: Path, share: int = 8) -> None:
        self.disk, self.elsewhere, self.share = there / "vda", elsewhere, share
        self.vault = Vault.create(elsewhere / "vault")
        self.log: list[str] = []
        self.week = 0
        patch = pytest.MonkeyPatch()  # for the rest of this process
        patch.setattr(reference_timer, "start", lambda *_: "")  # no systemd runs here
        patch.setattr(
            "include.remote.stream.ssh_command", lambda _, command, *_options: ["sh", "-c", command]
        )
        patch.setattr("include.vms.backup.configured", lambda _: nullcontext(Path()))

    def backup(self, *, unreachable: bool = False, carry: bool = True) -> VmBackup:
        """Return the backup of the next week."""
        self.week += 1
        instant = INSTANT + timedelta(hours=self.week - 50_000)
        state = self.elsewhere / "s"
        host = CloningHost(
            NoTransport(), "qemu:///nowhere", str(state), None,
            disk=self.disk, instant=instant, unreachable=unreachable,
        )  # fmt: skip
        run = f"week {self.week}"
        return VmBackup(self.vault, host, "maq1", UUID, run, 0, self.log.append, carry, self.share)

    def publish(self, backup: VmBackup | None = None) -> PublishedVm:
        """Back the VM up, and return the published generation, which has the disk byte for byte."""
        backup = backup or self.backup()
        begun = backup.begin_backup(REQUEST.model_copy(update={"run": backup.run}))
        try:
            at_stop = self.disk.read_bytes()
            backup.transfer(begun)
            backup.verify(begun)
            backup.publish(begun)
        finally:
            backup.end_backup()
        found = self.newest
        assert found.image("vda").read_bytes() == at_stop, self.log
        return found

    def fail(self, *, after_transfer: bool) -> None:
        """Begin a backup that is never published."""
        backup = self.backup()
        begun = backup.begin_backup(REQUEST.model_copy(update={"run": backup.run}))
        try:
            if after_transfer:
                backup.transfer(begun)
        finally:
            backup.end_backup()

    @property
    def newest(self) -> PublishedVm:
        """The newest generation."""
        return VmArchive(self.vault).of("maq1")[-1]

    @property
    def reference(self) -> Path | None:
        """The clone on the host that is the reference."""
        host = self.backup().host
        self.week -= 1
        assert isinstance(host, CloningHost)
        return host.reference

    def counts(self) -> tuple[int, int, int, str]:
        """Return how many chunks of the newest one were read, carried and read again, and the doubt."""
        (disk,) = self.newest.record.disks
        counted = (disk.read_bytes, disk.carried_bytes, disk.reread_bytes)
        read, carried, reread = (-(-count // CHUNK_BYTES) for count in counted)
        return read, carried, reread, disk.doubt

    def end(self) -> None:
        """End whatever still runs."""
        with suppress(Exception):
            self.backup().end_backup()
