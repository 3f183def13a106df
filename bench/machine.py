"""A machine to measure with, on a stand-in KVM host, asked as the weekly run asks it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from include.machines.facts import FreezeRequest, Frozen, LifeSigns
from include.machines.generation import Generations
from include.machines.host import Host
from include.machines.machine_backup import MachineBackup
from include.vault import Vault
from inpe_backup.ssh import SshDoor
from tests.include.agent.on_host import wait_until
from tests.site.kvm_host import STATE, URI, KvmHost

LEASE_S = 7_200


@contextmanager
def kvm_host(folder: Path) -> Iterator[KvmHost]:
    """Have a KVM host for the time of a block."""
    with KvmHost(folder) as kvm:
        yield kvm


@contextmanager
def reached(connection: dict[str, Any]) -> Iterator[SshDoor]:
    """Have the door to a host for the time of a block."""
    with patch.dict(os.environ, {"AIRFLOW_CONN_KVM_HOST": json.dumps(connection)}):
        yield SshDoor("kvm_host")


@dataclass(frozen=True)
class Machine:
    """One machine of a KVM host.

    Args:
        kvm: the host.
        door: the way there.
        name: the machine's.
    """

    kvm: KvmHost
    door: SshDoor
    name: str

    @property
    def host(self) -> Host:
        """Its host, as the weekly run asks it."""
        return Host(self.door, URI, STATE, None)

    @property
    def uuid(self) -> str:
        """By which the host knows it."""
        return self.kvm.virsh("domuuid", f"--domain={self.name}")

    def disk(self, target: str) -> Path:
        """Give the file of one of its disks."""
        return self.kvm.disk(self.name, target)

    def request(self, run: str) -> FreezeRequest:
        """Give what is asked of the host: seconds of downtime, proven by libvirt's word."""
        how = {"method": "cold", "on_timeout": "leave", "shutdown_timeout_s": 60, "lease_s": LEASE_S}
        return FreezeRequest.model_validate({"run": run, **how, "scratch": None, "proof": LifeSigns()})

    def freeze(self, run: str) -> Frozen:
        """Have its disks held."""
        return self.host.freeze(self.uuid, self.request(run))

    def backup(self, vault: Path, run: str) -> MachineBackup:
        """Give its backup into a vault, which is made when it isn't there."""
        marked = Vault(vault) if vault.exists() else Vault.create(vault)
        return MachineBackup(marked, self.host, self.name, self.uuid, run, 0, lambda _line: None)

    def forget_staged(self, vault: Path) -> None:
        """Remove what was pulled and isn't published."""
        shutil.rmtree(Generations(Vault(vault)).staged(self.name).folder, ignore_errors=True)

    def wait_until_up(self) -> None:
        """Wait until the guest hears its power button."""
        wait_until(lambda: "guest: ready" in self.kvm.console(self.name), f"{self.name}, ready")

    def remove(self) -> None:
        """Take it from the host, with its disks."""
        self.kvm.virsh("destroy", f"--domain={self.name}")
        self.kvm.virsh("undefine", f"--domain={self.name}")
        for disk in (self.kvm.folder / "disks").iterdir():
            disk.unlink()
