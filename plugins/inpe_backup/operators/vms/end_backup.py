"""End a VM's backup on its host."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.errors import BackupError
from include.report.alarm import vm_down
from include.report.vm_result import RUNNING, never_came_back
from include.vms.backup import drop_unverified
from include.vms.models import EndedBackup
from inpe_backup.alarm import alarm_mailed, mail_alarms, vm_on_host
from inpe_backup.operators.vms.agent_command import AgentCommandOperator
from inpe_backup.xcom import TaskResults

_BEGIN = "begin_backup"
"""The name of the task in its group that begins a VM's backup."""


class EndBackupOperator(AgentCommandOperator):
    """End libvirt's backup job on the host and restore the VM's state, whatever failed before.

    Args:
        vm: its ``name`` and ``uuid``, and ``was``, its state before.
    """

    template_fields: Sequence[str] = ("ssh_conn_id", "vm")

    def __init__(self, *, vm: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vm = vm

    def execute(self, context: Context) -> Any:  # type: ignore[override]  # SSHOperator's context is optional
        """End the backup; mail an alarm at once if the VM can't be started again."""
        with alarm_mailed(context, str(self.ssh_conn_id), self.vm, self.log, stops=False):
            return super().execute(context)

    def work(self, context: Context) -> dict[str, Any]:
        """Return an ``EndedBackup`` as JSON."""
        run = context["dag_run"].run_id
        ended = self.ask(EndedBackup, "end-backup", f"--run={run}", "--", self.vm["uuid"])
        for repaired in ended.repaired:
            self.log.warning("%s: %s", ended.vm, repaired)
        self.log.info("%s is %s.", ended.vm, ended.state)
        self._alarm_if_down(context, ended)
        try:
            drop_unverified(self.vault(), self.vm["name"], run)
        except BackupError as busy:
            self.log.warning("%s: its unverified staging stays until the next run. %s", ended.vm, busy)
        return ended.model_dump(mode="json")

    def _alarm_if_down(self, context: Context, ended: EndedBackup) -> None:
        """Mail an alarm at once if the VM is down, and the task that stopped it died before it could."""
        if ended.state in RUNNING:
            return
        results, index = TaskResults(context), context["ti"].map_index or 0
        begin = f"{self.task_id.rpartition('.')[0]}.{_BEGIN}"
        begun, failures = results.result(begin, index), results.failures(begin, index=index)
        if reason := never_came_back(self.vm["was"], begun, failures, ended):
            vm, run = vm_on_host(str(self.ssh_conn_id), self.vm), context["dag_run"].run_id
            mail_alarms(context, self.log, [vm_down(vm, reason, run)])
