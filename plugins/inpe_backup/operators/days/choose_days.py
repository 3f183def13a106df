"""Choose the days of a run."""

from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.days.archive import DayArchive
from include.days.plan import days_of_run
from include.ordinal_day import window
from inpe_backup.backfill_report import ensure_watched
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.run_day import overruled_field


class ChooseDaysOperator(BackupOperator):
    """Choose the run's own day; in a scheduled run also the two before it, and older missing days."""

    def work(self, context: Context) -> dict[str, Any]:
        """Return a ``DayWindow`` as JSON; see that a backfill has its one mail."""
        ensure_watched(context["dag_run"])
        own, vault = self.own_day(context), self.vault()
        if typed := overruled_field(context):
            self.log.warning("The field day, %s, is ignored: this run's partition key is %s.", typed, own)
        lookback_days = site_file.current().supim.lookback_days
        scheduled = context["dag_run"].run_type == "scheduled"
        chosen = days_of_run(
            own,
            scheduled=scheduled,
            lookback_days=lookback_days,
            published=DayArchive(vault).undamaged(window(own, 1 + lookback_days)) if scheduled else (),
        )
        self.log.info("This run is responsible for %s.", ", ".join(map(str, chosen.responsible_for)))
        self.log.info("Missing days to look for: %s.", ", ".join(map(str, chosen.missing)) or "none")
        return chosen.model_dump(mode="json")
