"""Which machines a run boots from their images."""

from typing import Any

from airflow.sdk import Context

from include import site_file
from include.machines.drill_choice import by_name, due, known
from include.machines.generation import Generations
from inpe_backup.operators.backup_operator import BackupOperator


class PlanDrillsOperator(BackupOperator):
    """Choose those whose newest sound image wasn't booted yet, then others, or the one that was asked for."""

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Give a ``DueDrill`` as JSON for each."""
        section, asked = site_file.current().machines, context["params"].get("machine")
        machines = known(Generations(self.vault()), lambda name: section.drill_of(name) is None)
        chosen = [by_name(machines, asked)] if asked else due(machines, section.drill.per_run)
        for one in chosen:
            self.log.info("%s, from %s. %s", one.name, one.generation, one.reason)
        return [one.model_dump(mode="json") for one in chosen]
