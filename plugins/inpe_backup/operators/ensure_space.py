"""Room, before anything is copied."""

from typing import Any

from airflow.sdk import Context

from include import site_file
from include.plan import Verdict
from include.space import Room
from inpe_backup.operators.backup_operator import BackupOperator


class EnsureSpaceOperator(BackupOperator):
    """Refuse to begin when the vault has no room for all of it; then hand out the days to secure.

    Args:
        verdicts: a list of ``Verdict`` as JSON.
    """

    template_fields = ("verdicts",)

    def __init__(self, *, verdicts: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdicts = verdicts

    def work(self, context: Context) -> list[str]:
        """Give the days that take work, oldest first; none in a dry run."""
        verdicts = [Verdict.model_validate(verdict) for verdict in self.verdicts]
        work = [verdict for verdict in verdicts if verdict.action.takes_work]
        room, reserve = Room.of(self.vault().root), site_file.current().vault.reserve
        need_bytes, need_files = sum(v.seen.disk_bytes for v in work), sum(v.seen.files for v in work)
        self.log.info(
            "%s bytes needed, %s free, %s kept in reserve.", need_bytes, room.free_bytes, int(reserve)
        )
        if work:
            room.require(need_bytes, need_files, reserve)
        return [] if context["params"]["dry_run"] else [str(verdict.day) for verdict in work]
