"""Begin a VM's backup on its host."""

from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.models import Model
from include.report.alarm import vm_key
from include.results.task_labels import task_label
from include.text import counted
from include.vms.backup import VmBackup
from include.vms.models import BackupRequest
from inpe_backup.alarm import alarm_mailed, mail_ends
from inpe_backup.connections import kvm_host
from inpe_backup.operators.vms.vm_operator import VmOperator
from inpe_backup.start_deadline import deadline_counts, require_in_time
from inpe_backup.vm_turn import VmTurnTrigger


class BeginBackupOperator(VmOperator):
    """Stop a VM, start it paused, begin libvirt's backup of its disks, and resume it, all on its host.

    The host's restart watchdog guards it meanwhile. Other methods don't stop the VM; see ``include/agent/``.
    A VM whose turn hasn't come waits without a worker, so that the transfers get them.

    Args:
        end_task: the name of the task in its group that ends a VM's backup.
    """

    def __init__(self, *, end_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.end_task = end_task

    def execute(self, context: Context) -> Any:
        """Begin the backup; mail an alarm at once if the VM doesn't come back."""
        with alarm_mailed(context, self.ssh_conn_id, self.vm, self.log, stops=True):
            return super().execute(context)

    def work(self, context: Context) -> dict[str, Any] | None:
        """Begin the backup when it's the VM's turn, unless it's too late then."""
        if not self._has_begun(context):
            self._wait_for_turn(context)
            self._require_in_time(context)
        begun = super().work(context)
        if begun and begun["was"] == "running":  # it passed its health check, whatever was before
            own = vm_key(self.ssh_conn_id, self.vm["uuid"])
            mail_ends(self.log, lambda key: key == own)
        return begun

    def _has_begun(self, context: Context) -> bool:
        """Return whether an earlier try began it, but its answer was lost: other VMs of its host wait."""
        if context["ti"].try_number == 1:
            return False
        return kvm_host(self.ssh_conn_id).has_begun(self.vm["uuid"], context["dag_run"].run_id)

    def _require_in_time(self, context: Context) -> None:
        if self.vm["deadline"] and deadline_counts(context):
            advice = f"Clear its task {task_label(self.task_id)} to back it up now, or wait for the next run."
            require_in_time(context, f"{self.vm['name']} wasn't stopped. {advice}")

    def resume(self, context: Context, event: object) -> Any:  # noqa: ARG002 - Airflow's signature
        """Go on after the wait; the turn is looked at again."""
        return self.execute(context)

    def _wait_for_turn(self, context: Context) -> None:
        ti, run_id = context["ti"], context["dag_run"].run_id
        turn = VmTurnTrigger(
            dag_id=context["dag"].dag_id,
            run_id=run_id,
            tasks=[self.task_id, f"{self.task_id.rpartition('.')[0]}.{self.end_task}"],
            first=self.vm["lane_start"],
            index=ti.map_index or 0,
        )
        if ahead := turn.ahead(ti.get_task_states(**turn.query).get(run_id, {})):
            self.log.info("%s waits for its turn, with %s before it.", self.vm["name"], counted(ahead, "VM"))
            self.defer(trigger=turn, method_name="resume")

    def step(self, backup: VmBackup) -> Model | None:
        """Begin the backup; see ``VmBackup.begin_backup``."""
        settings = site_file.current().vms.settings(backup.vm)
        request = BackupRequest(
            run=backup.run,
            method=settings.method,
            managed_save=settings.managed_save,
            on_timeout=settings.on_timeout,
            restart_changes=settings.restart_changes,
            shutdown_timeout_s=settings.shutdown_timeout_s,
            watchdog_s=settings.watchdog_s,
            scratch=backup.host.scratch,
            health_check=settings.health_check,
        )
        begun = backup.begin_backup(request, self.vm["need_bytes"])
        self.log.info("%s was down for %.1f s. %s", begun.vm, begun.downtime_s, begun.health_check)
        return begun
