"""One machine, booted from its image."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.errors import ConfigError, VaultError
from include.machines.drill import MachineDrill
from include.machines.drill_choice import DueDrill
from include.machines.generation import Generations
from include.report import Item, Outcome, State
from inpe_backup.machine_host import machine_host
from inpe_backup.operators.backup_operator import BackupOperator


class DrillMachineOperator(BackupOperator):
    """Boot a machine from its image, and keep what was found.

    Args:
        drill: a ``DueDrill`` as JSON.
    """

    template_fields: Sequence[str] = ("drill",)

    def __init__(self, *, drill: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drill = drill

    def work(self, context: Context) -> dict[str, Any]:
        """Give an ``Item`` as JSON; in a dry run, what would be done."""
        due = DueDrill.model_validate(self.drill)
        dry = context["params"].get("dry_run", False)
        item = _rehearsed(due) if dry else self._drill(context, due).do()
        self.log.info("%s: %s. %s", item.name, item.outcome, item.reason)
        return item.model_dump(mode="json")

    def _drill(self, context: Context, due: DueDrill) -> MachineDrill:
        generations = Generations(self.vault())
        for generation in generations.of(due.name):
            if generation.name == due.generation:
                break
        else:
            raise VaultError(f"The image {due.generation} of {due.name} is gone. Clear the plan, too.")
        how, run = site_file.current().machines.drill_of(due.name), context["dag_run"].run_id
        if how is None:
            raise ConfigError(f"The site file says now that {due.name} isn't booted. Clear the plan, too.")
        return MachineDrill(generations, generation, how, machine_host, run, self.say)


def _rehearsed(due: DueDrill) -> Item:
    reason = f"{due.reason} It would be booted from its image of {due.generation}."
    return Item(name=due.name, own=True, state=State.NOT_CHECKED, outcome=Outcome.WOULD_BOOT, reason=reason)
