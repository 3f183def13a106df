"""Publish a VM's verified image."""

from typing import Any

from airflow.sdk import Context

from include.models import Model
from include.vms.archive import VmArchive
from include.vms.backup import VmBackup
from inpe_backup.assets import VM_IMAGES, image_asset
from inpe_backup.operators.vms.vm_operator import ImageOperator


class PublishImageOperator(ImageOperator):
    """Give a verified image its final name in the vault, and add an event to the VM's asset."""

    def __init__(self, *, begun: Any, **kwargs: Any) -> None:
        super().__init__(begun=begun, **{**kwargs, "outlets": [VM_IMAGES]})

    def work(self, context: Context) -> dict[str, Any] | None:
        """Publish the image."""
        from include.status.vms import generation_status  # noqa: PLC0415 - loading the DAG file shouldn't need it

        record, name = super().work(context), self.vm["name"]
        newest = VmArchive(self.vault()).of(name)[-1]
        status = generation_status(newest).model_dump(mode="json")
        context["outlet_events"][VM_IMAGES].add(image_asset(name), extra=status)
        return record

    def step(self, backup: VmBackup) -> Model | None:
        """Publish the image; see ``VmBackup.publish``."""
        return backup.publish(self.begun_backup)
