"""Which machine is wanted back, from which generation, and at which host."""

from typing import Any

from airflow.sdk import Context

from include.errors import ConfigError
from include.machines.generation import Generations
from include.restore.machine_choice import choose
from include.restore.machine_told import item_name
from include.restore.machine_wish import MachineWish
from inpe_backup.operators.backup_operator import BackupOperator


class PlanMachineRestoreOperator(BackupOperator):
    """Choose the generation, and see that what the run's parameters ask for can be meant."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Give one object: its ``name``, and the ``wish``, with generation and host filled in."""
        params = context["params"]
        try:
            wish = MachineWish.model_validate(
                {key: params[key] for key in MachineWish.model_fields if key in params}
            )
        except ValueError as wrong:
            raise ConfigError(f"What is asked for can't be: {wrong}") from wrong
        wish.require_in_order()
        chosen = choose(wish.machine, Generations(self.vault()).of(wish.machine), wish.generation)
        self.log.info("%s %s. %s", wish.machine, chosen.generation.name, chosen.reason)
        host = wish.host or chosen.generation.record.host
        filled = wish.model_copy(update={"generation": chosen.generation.name, "host": host})
        return [{"name": item_name(filled, chosen.generation), "wish": filled.model_dump(mode="json")}]
