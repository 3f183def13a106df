"""End a VM's backup on its host."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.errors import BackupError
from include.vms.backup import drop_unverified
from include.vms.models import EndedBackup
from inpe_backup.alarm import alarm_mailed
from inpe_backup.operators.vms.agent_command import AgentCommandOperator


class EndBackupOperator(AgentCommandOperator):
    """End libvirt's backup job on the host and restore the VM's state, whatever failed before.

    Args:
        vm: its ``name`` and ``uuid``.
    """

    template_fields: Sequence[str] = ("ssh_conn_id", "vm")

    def __init__(self, *, vm: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vm = vm

    def execute(self, context: Context) -> Any:  # type: ignore[override]  # SSHOperator's context is optional
        """End the backup; mail an alarm at once if the VM can't be started again."""
        with alarm_mailed(context, str(self.ssh_conn_id), self.vm, self.log):
            return super().execute(context)

    def work(self, context: Context) -> dict[str, Any]:
        """Return an ``EndedBackup`` as JSON."""
        run = context["dag_run"].run_id
        ended = self.ask(EndedBackup, "end-backup", f"--run={run}", "--", self.vm["uuid"])
        for repaired in ended.repaired:
            self.log.warning("%s: %s", ended.vm, repaired)
        self.log.info("%s is %s.", ended.vm, ended.state)
        try:
            drop_unverified(self.vault(), self.vm["name"], run)
        except BackupError as busy:
            self.log.warning("%s: its unverified staging stays until the next run. %s", ended.vm, busy)
        return ended.model_dump(mode="json")
