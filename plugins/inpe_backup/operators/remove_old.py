"""What retention gives up, at the end of a run that is good."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.machines.machine_record import MachineRecord
from include.machines.plan import Action, Planned
from include.machines.removal import remove_old
from inpe_backup.leavings import Leavings
from inpe_backup.operators.backup_operator import BackupOperator


class RemoveOldOperator(BackupOperator):
    """Remove the generations that retention gives up, of the machines that this run imaged.

    Args:
        list_task: the id of the mapped task that leaves a list of ``Planned`` for each host.
        machines_task: that of the one that hands out the machines.
        machine_tasks: those of one machine; the last but one leaves its ``MachineRecord``.
    """

    def __init__(
        self, *, list_task: str, machines_task: str, machine_tasks: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.list_task = list_task
        self.machines_task = machines_task
        self.machine_tasks = tuple(machine_tasks)

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Give a ``Removed`` as JSON for each generation that goes; in a run that isn't good, none does."""
        left = Leavings(context)
        hosts = range(len(site_file.current().machines.hosts))
        planned = [Planned.model_validate(one) for host in hosts for one in left.result(self.list_task, host)]
        if refused := [one.name for one in planned if one.action is Action.REFUSE]:
            self.log.info("Nothing is removed in a run that couldn't image %s.", ", ".join(refused))
            return []
        machines = range(len(left.result(self.machines_task)))
        made = [
            MachineRecord.model_validate(left.result(self.machine_tasks[-2], index)) for index in machines
        ]
        section = site_file.current().machines
        drills = {record.machine for record in made if section.drill_required(record.machine)}
        removed = remove_old(self.vault(), made, section.keep, drills=drills) if made else []
        for one in removed:
            self.log.info("%s %s: %s %s", one.machine, one.instant, one.reason, one.refused or "It is gone.")
        return [one.model_dump(mode="json") for one in removed]
