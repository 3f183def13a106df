"""Transfer a VM's image to the vault."""

from include.models import Model
from include.vms.backup import VmBackup
from inpe_backup.operators.vms.vm_operator import ImageOperator


class TransferImageOperator(ImageOperator):
    """Transfer the changed chunks of a VM's disks into the vault's staging."""

    def step(self, backup: VmBackup) -> Model | None:
        """Transfer the image; see ``VmBackup.transfer``."""
        return backup.transfer(self.begun_backup)
