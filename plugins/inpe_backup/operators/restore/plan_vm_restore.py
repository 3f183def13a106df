"""Plan a restore of a VM."""

from typing import Any

from airflow.sdk import Context

from include.errors import RequestError
from include.restore.generation_choice import choose
from include.restore.vm_report import item_name
from include.restore.vm_request import VmRestoreRequest
from include.vms.archive import VmArchive
from inpe_backup.choices import image_of
from inpe_backup.operators.backup_operator import BackupOperator


class PlanVmRestoreOperator(BackupOperator):
    """Validate the form, and choose the generation and the host."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Return one object: the item's ``name``, and the ``request`` with generation and host filled in."""
        params = context["params"]
        try:
            request = VmRestoreRequest.model_validate(
                {key: params[key] for key in VmRestoreRequest.model_fields if key in params}
            )
        except ValueError as wrong:
            raise RequestError(f"The form is invalid: {wrong}") from wrong
        request.require_valid()
        requested = image_of(request.vm, request.generation) if request.generation else None
        chosen = choose(request.vm, VmArchive(self.vault()).of(request.vm), requested)
        self.log.info("%s %s. %s", request.vm, chosen.generation.name, chosen.reason)
        host = request.host or chosen.generation.record.host
        filled = request.model_copy(update={"generation": chosen.generation.name, "host": host})
        return [{"name": item_name(filled, chosen.generation), "request": filled.model_dump(mode="json")}]
