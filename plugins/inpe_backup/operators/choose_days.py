"""Which days a run is about."""

from typing import Any

from airflow.sdk import Context

from include import site_file
from include.plan import days_of_run
from inpe_backup.operators.backup_operator import BackupOperator


class ChooseDaysOperator(BackupOperator):
    """Choose the run's own day and, in a scheduled run, the days before it that it sees to as well."""

    def work(self, context: Context) -> dict[str, Any]:
        """Give a ``Window`` as JSON."""
        chosen = days_of_run(
            self.own_day(context),
            scheduled=context["dag_run"].run_type == "scheduled",
            look_back=site_file.current().supim.look_back,
            published={found.day for found in self.vault().published()},
        )
        self.log.info("This run answers for %s.", ", ".join(map(str, chosen.answers_for)))
        self.log.info("Gaps to look for: %s.", ", ".join(map(str, chosen.gaps)) or "none")
        return chosen.model_dump(mode="json")
