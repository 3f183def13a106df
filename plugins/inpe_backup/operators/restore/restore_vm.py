"""Restore a VM to a host."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.restore.generation_choice import choose
from include.restore.vm import VmRestore
from include.restore.vm_report import restored, would_restore
from include.restore.vm_request import VmRestoreRequest
from include.vms.archive import VmArchive
from inpe_backup.connections import kvm_host
from inpe_backup.operators.backup_operator import BackupOperator


class RestoreVmOperator(BackupOperator):
    """Restore a VM. When the task is cleared, it resumes.

    Args:
        planned: an object with ``name`` and ``request``, as the plan returned it.
    """

    template_fields: Sequence[str] = ("planned",)

    def __init__(self, *, planned: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def work(self, context: Context) -> dict[str, Any]:
        """Return an ``Item`` as JSON; in a dry run, of what would be done."""
        restore = self._restore(context["dag_run"].run_id)
        if context["params"].get("dry_run", False):
            item = would_restore(restore.request, restore.generation, restore.check())
        else:
            item = restored(restore.request, restore.generation, restore.run_all())
        self.log.info("%s: %s. %s", item.name, item.outcome, item.reason)
        return item.model_dump(mode="json")

    def _restore(self, run: str) -> VmRestore:
        request, vault = VmRestoreRequest.model_validate(self.planned["request"]), self.vault()
        chosen = choose(request.vm, VmArchive(vault).of(request.vm), request.generation)
        return VmRestore(
            vault=vault,
            host=kvm_host(str(request.host)),
            request=request,
            generation=chosen.generation,
            run=run,
            log=self.log_line,
        )
