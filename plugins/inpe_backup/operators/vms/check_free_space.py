"""Check the free space for images before any VM is stopped."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.errors import ConfigError, HostError
from include.vault.free_space import SpaceNeed
from include.vms.archive import VmArchive
from include.vms.lanes import in_lanes
from include.vms.plan import FILES, VmAction, VmPlan, of_all_hosts, require_requested
from inpe_backup.operators.free_space_operator import FreeSpaceOperator
from inpe_backup.start_deadline import deadline_counts
from inpe_backup.xcom import TaskResults


class CheckFreeSpaceForVmsOperator(FreeSpaceOperator):
    """List the VMs to back up that the vault has space for; those whose newest image is oldest get it first.

    Args:
        list_task: the id of the mapped task that returns a list of ``VmPlan`` per host.
    """

    def __init__(self, *, list_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.list_task = list_task

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Return an ``ssh_conn_id`` and a ``vm`` for each VM to back up; none in a dry run."""
        archive, run = VmArchive(self.vault()), context["dag_run"].run_id
        plans = {plan.name: plan for plan in self._plans(context) if plan.action is VmAction.IMAGE}
        newest = {name: [one.name for one in archive.of(name)][-1:] for name in plans}
        names = sorted(plans, key=lambda name: newest[name])
        needs = [_space_need(plans[name], archive, run) for name in names]
        fitting = [plans[name] for name in self.fitting(context, needs)]
        return [] if context["params"]["dry_run"] else _mapped(context, fitting, newest)

    def _plans(self, context: Context) -> list[VmPlan]:
        hosts = site_file.current().vms.hosts
        if not hosts:
            raise ConfigError("The site file names no KVM host: vms.hosts is empty.")
        results = TaskResults(context)
        lists = {host.ssh_conn_id: results.result(self.list_task, i) for i, host in enumerate(hosts)}
        unlisted = [host for host, plans in lists.items() if plans is None]
        if len(unlisted) == len(hosts):
            raise HostError("No KVM host could list its VMs. No VM was stopped.")
        plans = of_all_hosts(lists.values())
        require_requested(plans, self.requested_vms(context), unlisted)
        return plans


def _space_need(plan: VmPlan, archive: VmArchive, run: str) -> SpaceNeed:
    staged = archive.staged(plan.name)
    if archive.of_run(plan.name, run) or (staged.run == run and staged.draft.exists()):
        return SpaceNeed(plan.name, 0, 0)  # verified before the task was cleared; it isn't imaged again
    need_bytes = plan.image_bytes - staged.used_bytes
    return SpaceNeed(plan.name, max(need_bytes, 0), FILES)


def _mapped(
    context: Context, plans: Sequence[VmPlan], newest: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    """Return the VMs lane by lane, as ``VmOperator`` wants them."""
    mapped, deadline = list[dict[str, Any]](), deadline_counts(context)
    for lane in in_lanes(plans, site_file.current().vms.max_parallel, newest):
        turn = {"lane_start": len(mapped), "deadline": deadline}
        mapped += [{"ssh_conn_id": plan.host, "vm": _vm(plan) | turn} for plan in lane]
    return mapped


def _vm(plan: VmPlan) -> dict[str, Any]:
    return {"name": plan.name, "uuid": plan.uuid, "was": plan.was, "need_bytes": plan.image_bytes}
