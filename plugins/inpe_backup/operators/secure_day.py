"""One day's three steps: copy, verify, publish. Each can be cleared and run again by itself."""

from abc import abstractmethod
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from include import site_file
from include.day_backup import DayBackup
from include.ordinal_day import OrdinalDay
from include.record import Record
from inpe_backup.assets import SUPIM_DAYS
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.supim_source import supim_source


class _SecureDayOperator(BackupOperator):
    template_fields = ("day",)

    def __init__(self, *, day: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.day = day

    def work(self, context: Context) -> dict[str, Any] | None:
        site, run = site_file.current(), context["dag_run"]
        with supim_source() as source:
            backup = DayBackup(
                vault=self.vault(),
                source=source,
                day=OrdinalDay.parse(self.day),
                run=run.run_id,
                reserve_bytes=site.vault.reserve,
                recheck_s=site.supim.recheck_s,
                give_up_at=run.run_after + timedelta(seconds=site.supim.give_up_after_s),
                say=self.say,
            )
            record = self.step(backup)
        return record.model_dump(mode="json") if record else None

    @abstractmethod
    def step(self, backup: DayBackup) -> Record | None:
        """Take the step."""


class CopyDayOperator(_SecureDayOperator):
    """Copy a day into the vault's staging, waiting for it where it isn't complete yet.

    Args:
        day: such as ``2026-268``.
    """

    def step(self, backup: DayBackup) -> Record | None:
        """See ``DayBackup.copy``."""
        return backup.copy()


class VerifyDayOperator(_SecureDayOperator):
    """Prove a copied day against the source's own hashes.

    Args:
        day: such as ``2026-268``.
    """

    def step(self, backup: DayBackup) -> Record | None:
        """See ``DayBackup.prove``."""
        return backup.prove()


class PublishDayOperator(_SecureDayOperator):
    """Give a proven day its final name, and tell other DAGs, by an event of ``supim_days``.

    Args:
        day: such as ``2026-268``.
    """

    def __init__(self, *, day: Any, **kwargs: Any) -> None:
        super().__init__(day=day, **{**kwargs, "outlets": [SUPIM_DAYS]})

    def work(self, context: Context) -> dict[str, Any] | None:
        """Publish the day; what another run had published is no event."""
        record = super().work(context)
        if record and record["run"] == context["dag_run"].run_id:
            self._tell(context)
        else:
            self.outlets = []  # Airflow makes an event of each outlet, with the run's own key
        return record

    def step(self, backup: DayBackup) -> Record | None:
        """See ``DayBackup.publish``."""
        return backup.publish()

    def _tell(self, context: Context) -> None:
        from include.standing.days import day_facts  # noqa: PLC0415 - the DAG file is read without it

        event = context["outlet_events"][SUPIM_DAYS]
        event.add_partitions(self.day)  # a run may secure other days than its own
        newest = self.vault().revisions(OrdinalDay.parse(self.day))[-1]
        event.extra = day_facts(newest).model_dump(mode="json")
