"""The facts of a weekly run, gathered into its report."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.failure import Failure
from include.machines.facts import Frozen, Released
from include.machines.machine_record import MachineRecord
from include.machines.plan import Planned
from include.machines.removal import Removed
from include.report import Report
from include.weekly_report import MachineDoing, WeeklyRun
from inpe_backup.leavings import Leavings
from inpe_backup.operators.report_operator import ReportOperator


class BuildWeeklyReportOperator(ReportOperator):
    """Write the weekly report, whatever happened before.

    Args:
        list_task: the id of the mapped task that leaves a list of ``Planned`` for each host.
        machines_task: that of the one that hands out the machines.
        machine_tasks: those of one machine: that freeze, pull, verify, publish and release it, in this order.
        remove_task: that of the one that leaves a list of ``Removed``.
    """

    def __init__(
        self,
        *,
        list_task: str,
        machines_task: str,
        machine_tasks: Sequence[str],
        remove_task: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.list_task = list_task
        self.machines_task = machines_task
        self.machine_tasks = tuple(machine_tasks)
        self.remove_task = remove_task

    def report(self, context: Context, left: Leavings) -> Report:
        """Tell of the hosts' machines."""
        return self._run(context, left).report(self.vault_if_usable())

    def _run(self, context: Context, left: Leavings) -> WeeklyRun:
        run, site = context["dag_run"], site_file.current()
        lists = {
            host.connection: left.result(self.list_task, index)
            for index, host in enumerate(site.machines.hosts)
        }
        removed = left.result(self.remove_task)
        return WeeklyRun(
            site=site,
            run_id=run.run_id,
            started=run.start_date or run.run_after,
            dry_run=context["params"]["dry_run"],
            planned=[Planned.model_validate(one) for found in lists.values() for one in found or ()],
            lost_hosts=self._lost(lists, left),
            doings=self._doings(left),
            removed=None if removed is None else [Removed.model_validate(one) for one in removed],
            failures=left.failures_of_run(self.machines_task, self.remove_task),
            run_url=context["ti"].log_url.split("/tasks/")[0],
        )

    def _lost(self, lists: Mapping[str, Any], left: Leavings) -> dict[str, Failure | None]:
        why = {host: left.failures([self.list_task], index) for index, host in enumerate(lists)}
        return {host: next(iter(why[host]), None) for host, found in lists.items() if found is None}

    def _doings(self, left: Leavings) -> dict[str, MachineDoing]:
        machines = left.result(self.machines_task) or ()
        return {machine["name"]: self._doing(left, index) for index, machine in enumerate(machines)}

    def _doing(self, left: Leavings, index: int) -> MachineDoing:
        frozen, *_, record, released = (left.result(task, index) for task in self.machine_tasks)
        return MachineDoing(
            frozen=frozen and Frozen.model_validate(frozen),
            record=record and MachineRecord.model_validate(record),
            released=released and Released.model_validate(released),
            failures=tuple(left.failures(self.machine_tasks, index)),
        )
