"""Transfer a VM's image to the vault."""

from typing import Any

from airflow.sdk import Context

from include.models import Model
from include.report.alarm import reread_differs
from include.vms.backup import VmBackup
from inpe_backup.alarm import mail_alarms
from inpe_backup.operators.vms.vm_operator import ImageOperator


class TransferImageOperator(ImageOperator):
    """Transfer the changed chunks of a VM's disks into the vault's staging."""

    def work(self, context: Context) -> dict[str, Any] | None:
        """Transfer the image; mail an alarm at once if something had changed that counted as unchanged."""
        transferred = super().work(context)
        if transferred and transferred["mismatch"]:
            found = reread_differs(self.vm["name"], transferred["mismatch"], context["dag_run"].run_id)
            mail_alarms(context, self.log, [found])
        return transferred

    def step(self, backup: VmBackup) -> Model | None:
        """Transfer the image; see ``VmBackup.transfer``."""
        return backup.transfer(self.begun_backup)
