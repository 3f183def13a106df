"""The base of a VM's steps: begin backup, transfer, verify, publish. Each can be cleared and run again."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.models import Model
from include.vms.backup import VmBackup
from include.vms.models import BegunBackup
from inpe_backup.connections import kvm_host
from inpe_backup.operators.backup_operator import BackupOperator


class VmOperator(BackupOperator):
    """A step of one VM's backup.

    Args:
        ssh_conn_id: the connection of its host.
        vm: its ``name``, ``uuid`` and ``need_bytes``; what it ``was`` before, running or off; ``lane_start``,
            the map index of its lane's first VM; and whether the start ``deadline`` counts.
    """

    template_fields: Sequence[str] = ("ssh_conn_id", "vm")

    def __init__(self, *, ssh_conn_id: Any, vm: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ssh_conn_id = ssh_conn_id
        self.vm = vm

    def work(self, context: Context) -> dict[str, Any] | None:
        """Return the step's result as JSON, if it has one."""
        result = self.step(self.backup(context))
        return result.model_dump(mode="json") if result else None

    def backup(self, context: Context) -> VmBackup:
        """Return this run's backup of the VM."""
        settings = site_file.current().vms.settings(self.vm["name"])
        return VmBackup(
            vault=self.vault(),
            host=kvm_host(self.ssh_conn_id),
            vm=self.vm["name"],
            uuid=self.vm["uuid"],
            run=context["dag_run"].run_id,
            reserve_bytes=site_file.current().vault.reserve,
            log=self.log_line,
            carry=settings.carry_unchanged,
            reread_share=settings.reread_share,
        )

    @abstractmethod
    def step(self, backup: VmBackup) -> Model | None:
        """Take the step."""


class ImageOperator(VmOperator):
    """A step of a VM's backup that has begun.

    Args:
        begun: a ``BegunBackup`` as JSON.
    """

    template_fields: Sequence[str] = ("ssh_conn_id", "vm", "begun")

    def __init__(self, *, begun: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.begun = begun

    @property
    def begun_backup(self) -> BegunBackup:
        """The backup as it was begun."""
        return BegunBackup.model_validate(self.begun)
