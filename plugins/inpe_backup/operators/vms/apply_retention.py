"""Apply retention after a good run."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.vms.plan import VmAction, of_all_hosts
from include.vms.record import VmRecord
from include.vms.removal import apply_retention
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.xcom import TaskResults


class ApplyRetentionOperator(BackupOperator):
    """Remove the generations that retention no longer keeps, of the VMs that this run backed up.

    Args:
        list_task: the id of the mapped task that returns a list of ``VmPlan`` per host.
        vms_task: the id of the task that lists the VMs to back up.
        publish_task: the id of the mapped task that returns each VM's ``VmRecord``.
    """

    def __init__(self, *, list_task: str, vms_task: str, publish_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.list_task = list_task
        self.vms_task = vms_task
        self.publish_task = publish_task

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Return a ``RemovedGeneration`` as JSON for each; remove none if a VM couldn't be backed up."""
        results, site = TaskResults(context), site_file.current()
        if missed := self._missed(results, [host.ssh_conn_id for host in site.vms.hosts]):
            self.log.warning("Nothing is removed, because this run couldn't back up %s.", ", ".join(missed))
            return []
        vms = range(len(results.result(self.vms_task)))
        records = [VmRecord.model_validate(results.result(self.publish_task, index)) for index in vms]
        boot_tests = {record.vm for record in records if site.boot_test_required(record.vm)}
        removed = (
            apply_retention(self.vault(), records, site.vms.keep, boot_tests=boot_tests) if records else []
        )
        for it in removed:
            self.log.info("%s %s: %s %s", it.vm, it.instant, it.reason, it.refused or "It was removed.")
        return [it.model_dump(mode="json") for it in removed]

    def _missed(self, results: TaskResults, hosts: Sequence[str]) -> list[str]:
        """Return the VMs that were refused, and the hosts whose VMs couldn't be listed."""
        lists = {host: results.result(self.list_task, index) for index, host in enumerate(hosts)}
        plans = of_all_hosts(lists.values(), results.refused(self.vms_task))
        refused = [plan.name for plan in plans if plan.action is VmAction.REFUSE]
        return refused + [f"the VMs of {host}" for host, listed in lists.items() if listed is None]
