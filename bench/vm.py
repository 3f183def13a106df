"""A VM to measure with, on a stand-in KVM host, which is used as the weekly run does."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from include.config.vms import HealthChecks
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.backup import VmBackup
from include.vms.host import Host
from include.vms.models import BackupRequest, BegunBackup
from inpe_backup.ssh_transport import SshTransport
from tests.include.agent.agent_on_host import wait_until
from tests.site.kvm_host import STATE, URI, KvmHost

WATCHDOG_S = 7_200


@contextmanager
def kvm_host(folder: Path) -> Iterator[KvmHost]:
    """Run a KVM host for the time of a block."""
    with KvmHost(folder) as kvm:
        yield kvm


@contextmanager
def reached(connection: dict[str, Any]) -> Iterator[SshTransport]:
    """Yield the transport to a host for the time of a block."""
    with patch.dict(os.environ, {"AIRFLOW_CONN_KVM_HOST": json.dumps(connection)}):
        yield SshTransport("kvm_host")


@dataclass(frozen=True)
class BenchVm:
    """A VM of a KVM host.

    Args:
        kvm: the host.
        transport: the connection to it.
        name: the VM's name.
    """

    kvm: KvmHost
    transport: SshTransport
    name: str

    @property
    def host(self) -> Host:
        """Its host, as the weekly run uses it."""
        return Host(self.transport, URI, STATE, None)

    @property
    def uuid(self) -> str:
        """Its UUID."""
        return self.kvm.virsh("domuuid", f"--domain={self.name}")

    def disk(self, target: str) -> Path:
        """Return the path of one of its disks."""
        return self.kvm.disk(self.name, target)

    def request(self, run: str) -> BackupRequest:
        """Return the request to begin a cold backup, with libvirt's state as the only health check."""
        fields = {
            "method": "cold",
            "managed_save": "refuse",
            "on_timeout": "leave",
            "restart_changes": "refuse",
        }
        return BackupRequest.model_validate(
            {
                **fields,
                "run": run,
                "shutdown_timeout_s": 60,
                "watchdog_s": WATCHDOG_S,
                "scratch": None,
                "health_check": HealthChecks(),
            }
        )

    def begin_backup(self, run: str) -> BegunBackup:
        """Begin its backup."""
        return self.host.begin_backup(self.uuid, self.request(run))

    def backup(self, vault: Path, run: str, reread_share: int = 8) -> VmBackup:
        """Return its backup into a vault, which is created if needed."""
        opened = Vault(vault) if vault.exists() else Vault.create(vault)
        return VmBackup(
            opened, self.host, self.name, self.uuid, run, 0, lambda _line: None, reread_share=reread_share
        )

    def clear_staging(self, vault: Path) -> None:
        """Remove its staging folder."""
        shutil.rmtree(VmArchive(Vault(vault)).staged(self.name).folder, ignore_errors=True)

    def wait_until_up(self) -> None:
        """Wait until the guest reacts to its power button."""
        wait_until(lambda: "guest: ready" in self.kvm.console(self.name), f"{self.name}, ready")

    def remove(self) -> None:
        """Remove it from the host, with its disks."""
        self.kvm.virsh("destroy", f"--domain={self.name}")
        self.kvm.virsh("undefine", f"--domain={self.name}")
        for disk in (self.kvm.folder / "disks").iterdir():
            disk.unlink()
