"""Transfer a VM's image to the vault."""

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk import Context

from include.models import Model
from include.report.alarm import Alarm, reread_differs, vm_down
from include.vms.backup import VmBackup
from inpe_backup.alarm import mail_alarms, vm_on_host
from inpe_backup.operators.vms.vm_operator import ImageOperator


class TransferImageOperator(ImageOperator):
    """Transfer the changed chunks of a VM's disks into the vault's staging."""

    def work(self, context: Context) -> dict[str, Any] | None:
        """Transfer the image; mail an alarm at once about what can't wait for the report."""
        transferred = super().work(context)
        if transferred:
            mail_alarms(context, self.log, list(self._alarms(transferred, context["dag_run"].run_id)))
        return transferred

    def _alarms(self, transferred: Mapping[str, Any], run: str) -> Iterator[Alarm]:
        """Yield one if something had changed that counted as unchanged, and one if the VM isn't back."""
        if how := transferred["mismatch"]:
            yield reread_differs(self.vm["name"], how, run)
        if why := transferred["not_back"]:
            yield vm_down(vm_on_host(str(self.ssh_conn_id), self.vm), why, run)

    def step(self, backup: VmBackup) -> Model | None:
        """Transfer the image; see ``VmBackup.transfer``."""
        return backup.transfer(self.begun_backup)
