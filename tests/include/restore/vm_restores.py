"""Back up and restore the VMs of a KVM host."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.restore.generation_choice import choose
from include.restore.vm import RestoredVm, VmRestore
from include.restore.vm_request import VmRestoreRequest
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.backup import VmBackup
from include.vms.host import Host
from include.vms.models import BackupRequest
from tests.include.agent.agent_on_host import REQUEST, wait_until
from tests.include.vms.exported_disks import transport
from tests.site.kvm_host import STATE, URI, KvmHost


@dataclass(frozen=True)
class Rehearsal:
    """A KVM host and a vault with backups of its VMs.

    Args:
        kvm: the host.
        vault: the vault.
    """

    kvm: KvmHost
    vault: Vault

    @property
    def host(self) -> Host:
        """The host, as the backup uses it."""
        return Host(transport(self.kvm.connection), URI, STATE, None)

    def back_up(self, vm: str, run: str) -> PublishedVm:
        """Back up a VM to the vault as it is now."""
        uuid = self.kvm.virsh("domuuid", f"--domain={vm}")
        backup = VmBackup(self.vault, self.host, vm, uuid, run, 0, print)
        begun = backup.begin_backup(BackupRequest.model_validate({**REQUEST, "run": run}))
        backup.transfer(begun)
        backup.verify(begun)
        backup.end_backup()
        backup.publish(begun)
        wait_until(lambda: not self._processes(), "the watcher's end")
        return self.generations(vm)[-1]

    def generations(self, vm: str) -> list[PublishedVm]:
        """Return a VM's generations in the vault."""
        return VmArchive(self.vault).of(vm)

    def restore(self, vm: str, run: str = "a restore", **request: object) -> VmRestore:
        """Return the restore of a VM, confirmed."""
        checked = VmRestoreRequest.model_validate({"vm": vm, "confirm": vm, **request})
        chosen = choose(vm, self.generations(vm), checked.generation)
        return VmRestore(self.vault, self.host, checked, chosen.generation, run, print)

    def in_place(self, vm: str, run: str = "a restore", **request: object) -> RestoredVm:
        """Restore a VM in place."""
        return self.restore(vm, run, how="in place", **request).run_all()

    def beside(self, vm: str, run: str = "a restore", **request: object) -> RestoredVm:
        """Restore a VM beside the original."""
        return self.restore(vm, run, **request).run_all()

    def content(self, path: Path, form: str) -> bytes:
        """Return the content of a disk on the host as its guest sees it."""
        raw = path.with_name("read.raw")
        subprocess.run(
            ["qemu-img", "convert", "-f", form, "-O", "raw", str(path), str(raw)], check=True, timeout=60
        )
        try:
            return raw.read_bytes()
        finally:
            raw.unlink()

    def damage(self, vm: str, target: str, form: str, at: str, count: str = "3M") -> None:
        """Write noise into a disk of a VM that is off."""
        write_noise(self.kvm.disk(vm, target), form, at, count)

    def boots(self, vm: str) -> bool:
        """Start a VM, wait until its guest is ready, and turn it off again."""
        self.kvm.virsh("start", f"--domain={vm}")
        wait_until(lambda: "guest: ready" in self.kvm.console(vm), f"{vm}, ready")
        self.kvm.virsh("destroy", f"--domain={vm}")
        return True

    def left_behind(self) -> list[str]:
        """Return what a finished restore must not leave: work folders, new disks, processes."""
        found = [*self.kvm.agents_folder.glob("r-*"), *(self.kvm.folder / "disks").glob("*.restoring-*")]
        return [str(path) for path in found] + self._processes()

    def fault(self) -> str:
        """Return what a test left that would disturb the next one; empty if nothing."""
        if broken := self.kvm.fault():
            return broken
        self.kvm.cancel_fault()
        left = self.left_behind()
        return "\n".join(["These were left behind:", *left]) if left else ""

    def _processes(self) -> list[str]:
        listed = self.kvm.run("pgrep", "--list-full", "--full", "qemu-nbd|agent-", check=False)
        return listed.splitlines()


def write_noise(disk: Path, form: str, at: str, count: str) -> None:
    """Write noise into a disk of a VM that is off."""
    write = ["qemu-io", "-f", form, "-c", f"write -P 0x5a {at} {count}", str(disk)]
    subprocess.run(write, check=True, capture_output=True, timeout=60)


@contextmanager
def mounted(rehearsal: Rehearsal, size: str, *options: str) -> Iterator[str]:
    """Mount a small file system on the host, for a block."""
    folder = rehearsal.kvm.folder / "small"
    folder.mkdir(exist_ok=True)
    rehearsal.kvm.run(
        "mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "small", str(folder)
    )
    try:
        yield str(folder)
    finally:
        rehearsal.kvm.run("umount", str(folder))


def copied(generation: PublishedVm, instant: datetime) -> PublishedVm:
    """Copy a generation to the name of another instant."""
    copy = PublishedVm(generation.vm, instant, generation.vault_root)
    subprocess.run(["cp", "-a", str(generation.folder), str(copy.folder)], check=True)
    return copy


def remove(folder: Path) -> None:
    """Remove a generation by hand."""
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    subprocess.run(["rm", "-r", str(folder)], check=True)
