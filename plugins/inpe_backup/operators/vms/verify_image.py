"""Verify a VM's image."""

from include.models import Model
from include.vms.backup import VmBackup
from inpe_backup.operators.vms.vm_operator import ImageOperator


class VerifyImageOperator(ImageOperator):
    """Read an image back from the disk, and verify each chunk against the host's SHA-256."""

    def step(self, backup: VmBackup) -> Model | None:
        """Verify the image; see ``VmBackup.verify``."""
        return backup.verify(self.begun_backup)
