"""A KVM host with a machine, a vault with its image, and the way back."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.machines.facts import FreezeRequest
from include.machines.generation import Generations, PublishedGeneration
from include.machines.host import Host
from include.machines.machine_backup import MachineBackup
from include.restore.machine_choice import choose
from include.restore.machine_restore import MachineRestore, MachineRestored
from include.restore.machine_wish import MachineWish
from include.vault import Vault
from tests.include.agent.on_host import REQUEST, wait_until
from tests.include.machines.held_disks import door
from tests.site.kvm_host import STATE, URI, KvmHost


@dataclass(frozen=True)
class Rehearsal:
    """The parts of a restore.

    Args:
        kvm: the host.
        vault: where the images are.
    """

    kvm: KvmHost
    vault: Vault

    @property
    def host(self) -> Host:
        """The host, as the backup sees it."""
        return Host(door(self.kvm.connection), URI, STATE, None)

    def image(self, machine: str, run: str) -> PublishedGeneration:
        """Have a machine in the vault as it is now."""
        uuid = self.kvm.virsh("domuuid", f"--domain={machine}")
        backup = MachineBackup(self.vault, self.host, machine, uuid, run, 0, print)
        frozen = backup.freeze(FreezeRequest.model_validate({**REQUEST, "run": run}))
        backup.pull(frozen)
        backup.prove(frozen)
        backup.release()
        backup.publish(frozen)
        wait_until(lambda: not self._processes(), "the watcher's end")
        return self.generations(machine)[-1]

    def generations(self, machine: str) -> list[PublishedGeneration]:
        """Give what the vault holds of a machine."""
        return Generations(self.vault).of(machine)

    def restore(self, machine: str, run: str = "a restore", **wish: object) -> MachineRestore:
        """Give the restore of a machine, as it's wished for; in place, it's confirmed."""
        wished = MachineWish.model_validate({"machine": machine, "confirm": machine, **wish})
        chosen = choose(machine, self.generations(machine), wished.generation)
        return MachineRestore(self.vault, self.host, wished, chosen.generation, run, print)

    def in_place(self, machine: str, run: str = "a restore", **wish: object) -> MachineRestored:
        """Restore a machine in place."""
        return self.restore(machine, run, how="in place", **wish).run_all()

    def beside(self, machine: str, run: str = "a restore", **wish: object) -> MachineRestored:
        """Restore a machine beside itself."""
        return self.restore(machine, run, **wish).run_all()

    def content(self, path: Path, form: str) -> bytes:
        """Give what a guest sees of a disk of the host's, as qemu-img reads it."""
        raw = path.with_name("read.raw")
        subprocess.run(
            ["qemu-img", "convert", "-f", form, "-O", "raw", str(path), str(raw)], check=True, timeout=60
        )
        try:
            return raw.read_bytes()
        finally:
            raw.unlink()

    def damage(self, machine: str, target: str, form: str, at: str, count: str = "3M") -> None:
        """Write noise into a disk, as a guest would have that went wild."""
        write_noise(self.kvm.disk(machine, target), form, at, count)

    def boots(self, machine: str) -> bool:
        """Start a machine; tells that it came up, and has it off again."""
        self.kvm.virsh("start", f"--domain={machine}")
        wait_until(lambda: "guest: ready" in self.kvm.console(machine), f"{machine}, ready")
        self.kvm.virsh("destroy", f"--domain={machine}")
        return True

    def left_behind(self) -> list[str]:
        """Give what a restore leaves that is over: rooms, new files that got nowhere, processes."""
        found = [*self.kvm.agents_folder.glob("r-*"), *(self.kvm.folder / "disks").glob("*.restoring-*")]
        return [str(path) for path in found] + self._processes()

    def _processes(self) -> list[str]:
        listed = self.kvm.run("pgrep", "--list-full", "--full", "qemu-nbd|agent-", check=False)
        return listed.splitlines()


def write_noise(disk: Path, form: str, at: str, count: str) -> None:
    """Write noise into a disk of a machine that is off."""
    write = ["qemu-io", "-f", form, "-c", f"write -P 0x5a {at} {count}", str(disk)]
    subprocess.run(write, check=True, capture_output=True, timeout=60)


@contextmanager
def mounted(bringing: Rehearsal, size: str, *options: str) -> Iterator[str]:
    """Have a small file system on the host."""
    folder = bringing.kvm.folder / "small"
    folder.mkdir(exist_ok=True)
    bringing.kvm.run("mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "small", str(folder))
    try:
        yield str(folder)
    finally:
        bringing.kvm.run("umount", str(folder))


def copied(generation: PublishedGeneration, instant: datetime) -> PublishedGeneration:
    """Have a copy of a generation as that of another instant; only its name knows."""
    copy = PublishedGeneration(generation.machine, instant, generation.vault_root)
    subprocess.run(["cp", "-a", str(generation.folder), str(copy.folder)], check=True)
    return copy


def remove(folder: Path) -> None:
    """Remove a generation, as by hand."""
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    subprocess.run(["rm", "-r", str(folder)], check=True)
