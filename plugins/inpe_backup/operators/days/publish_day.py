"""Publish a verified day."""

from typing import Any

from airflow.sdk import Context

from include.days.archive import DayArchive
from include.days.backup import DayBackup
from include.days.record import DayRecord
from include.ordinal_day import OrdinalDay
from inpe_backup.assets import SUPIM_DAYS
from inpe_backup.only_logged import only_logged
from inpe_backup.operators.days.day_operator import DayOperator


class PublishDayOperator(DayOperator):
    """Give a verified day its final name in the vault, and add an event to the asset ``supim_days``."""

    def __init__(self, *, day: Any, **kwargs: Any) -> None:
        super().__init__(day=day, **{**kwargs, "outlets": [SUPIM_DAYS]})

    def work(self, context: Context) -> dict[str, Any] | None:
        """Publish the day; add no event for what another run has published."""
        record = super().work(context)
        if record and record["run"] == context["dag_run"].run_id:
            with only_logged(self.log, "The day is published; no DAG that waits for it gets an event."):
                self._add_event(context)
                return record
        self.outlets = []  # else Airflow adds an event with the run's own day
        return record

    def step(self, backup: DayBackup) -> DayRecord | None:
        """Publish the day; see ``DayBackup.publish``."""
        return backup.publish()

    def _add_event(self, context: Context) -> None:
        from include.status.days import day_status  # noqa: PLC0415 - loading the DAG file shouldn't need it

        event = context["outlet_events"][SUPIM_DAYS]
        event.add_partitions(self.day)  # a run may back up days besides its own
        newest = DayArchive(self.vault()).revisions(OrdinalDay.parse(self.day))[-1]
        event.extra = day_status(newest).model_dump(mode="json")
