"""Which days a run is about."""

from typing import Any

from airflow.sdk import Context

from include import site_file
from include.ordinal_day import window
from include.plan import days_of_run
from inpe_backup.operators.backup_operator import BackupOperator


class ChooseDaysOperator(BackupOperator):
    """Choose the run's own day and, in a scheduled run, the days before it that it sees to as well."""

    def work(self, context: Context) -> dict[str, Any]:
        """Give a ``Window`` as JSON."""
        own, look_back, vault = self.own_day(context), site_file.current().supim.look_back, self.vault()
        scheduled = context["dag_run"].run_type == "scheduled"
        chosen = days_of_run(
            own,
            scheduled=scheduled,
            look_back=look_back,
            published=vault.sound(window(own, 1 + look_back)) if scheduled else (),
        )
        self.log.info("This run answers for %s.", ", ".join(map(str, chosen.answers_for)))
        self.log.info("Gaps to look for: %s.", ", ".join(map(str, chosen.gaps)) or "none")
        return chosen.model_dump(mode="json")
