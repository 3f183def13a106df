"""Publish a VM's verified image."""

from typing import Any

from airflow.sdk import Context

from include.models import Model
from include.vms.archive import VmArchive
from include.vms.backup import VmBackup
from inpe_backup.assets import VM_IMAGES, image_asset
from inpe_backup.only_logged import only_logged
from inpe_backup.operators.vms.vm_operator import ImageOperator


class PublishImageOperator(ImageOperator):
    """Give a verified image its final name in the vault, and add an event to the VM's asset."""

    def __init__(self, *, begun: Any, **kwargs: Any) -> None:
        super().__init__(begun=begun, **{**kwargs, "outlets": [VM_IMAGES]})

    def work(self, context: Context) -> dict[str, Any] | None:
        """Publish the image."""
        record = super().work(context)
        with only_logged(self.log, "The image is published; no DAG that waits for it gets an event."):
            self._add_event(context)
        return record

    def step(self, backup: VmBackup) -> Model | None:
        """Publish the image; see ``VmBackup.publish``."""
        return backup.publish(self.begun_backup)

    def _add_event(self, context: Context) -> None:
        from include.status.vms import generation_status  # noqa: PLC0415 - loading the DAG file shouldn't need it

        newest = VmArchive(self.vault()).of(self.vm["name"])[-1]
        status = generation_status(newest).model_dump(mode="json")
        context["outlet_events"][VM_IMAGES].add(image_asset(self.vm["name"]), extra=status)
