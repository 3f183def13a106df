"""One machine, brought back to its host."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.machines.generation import Generations
from include.restore.machine_choice import choose
from include.restore.machine_restore import MachineRestore
from include.restore.machine_told import restored, would_restore
from include.restore.machine_wish import MachineWish
from inpe_backup.machine_host import machine_host
from inpe_backup.operators.backup_operator import BackupOperator


class RestoreMachineOperator(BackupOperator):
    """Bring a machine back. Cleared and run again, it goes on where it was.

    Args:
        planned: ``name`` and ``wish``, as the plan left them.
    """

    template_fields: Sequence[str] = ("planned",)

    def __init__(self, *, planned: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def work(self, context: Context) -> dict[str, Any]:
        """Give an ``Item`` as JSON; in a dry run, what would be done."""
        restore = self._restore(context["dag_run"].run_id)
        if context["params"].get("dry_run", False):
            item = would_restore(restore.wish, restore.generation, restore.places())
        else:
            item = restored(restore.wish, restore.generation, restore.run_all())
        self.log.info("%s: %s. %s", item.name, item.outcome, item.reason)
        return item.model_dump(mode="json")

    def _restore(self, run: str) -> MachineRestore:
        wish, vault = MachineWish.model_validate(self.planned["wish"]), self.vault()
        chosen = choose(wish.machine, Generations(vault).of(wish.machine), wish.generation)
        return MachineRestore(
            vault=vault,
            host=machine_host(str(wish.host)),
            wish=wish,
            generation=chosen.generation,
            run=run,
            say=self.say,
        )
