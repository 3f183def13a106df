"""The base of a day's steps: copy, verify, publish. Each can be cleared and run again on its own."""

from abc import abstractmethod
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from include.config import site_file
from include.days.backup import DayBackup
from include.days.record import DayRecord
from include.ordinal_day import OrdinalDay
from inpe_backup.connections import supim_source
from inpe_backup.operators.backup_operator import BackupOperator


class DayOperator(BackupOperator):
    """A step of one day's backup.

    Args:
        day: such as ``2026-268``.
        ssh_conn_id: the source's connection; None: the one in the site file.
    """

    template_fields = ("day",)

    def __init__(self, *, day: Any, ssh_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.day = day
        self.ssh_conn_id = ssh_conn_id

    def work(self, context: Context) -> dict[str, Any] | None:
        """Return the published day's ``DayRecord`` as JSON, or None if it isn't published yet."""
        site, run = site_file.current(), context["dag_run"]
        with supim_source(self.ssh_conn_id or site.supim.source.ssh_conn_id) as source:
            backup = DayBackup(
                vault=self.vault(),
                source=source,
                day=OrdinalDay.parse(self.day),
                run=run.run_id,
                reserve_bytes=site.vault.reserve,
                poke_interval_s=site.supim.poke_interval_s,
                deadline=run.run_after.astimezone(site.institute.zone)
                + timedelta(seconds=site.supim.timeout_s),
                log=self.log_line,
            )
            record = self.step(backup)
        return record.model_dump(mode="json") if record else None

    @abstractmethod
    def step(self, backup: DayBackup) -> DayRecord | None:
        """Take the step."""
