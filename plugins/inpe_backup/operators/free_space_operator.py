"""The base of both checks of the vault's free space: what fits is backed up, the rest is refused."""

from collections.abc import Sequence

from airflow.sdk import Context

from include.config import site_file
from include.errors import NoSpaceError
from include.vault.free_space import FreeSpace, SpaceNeed
from inpe_backup.operators.backup_operator import BackupOperator
from inpe_backup.xcom import REFUSED


class FreeSpaceOperator(BackupOperator):
    """A check of the vault's free space, before anything is touched."""

    def fitting(self, context: Context, needs: Sequence[SpaceNeed], *, first: str = "") -> list[str]:
        """Return the names of the backups that fit; leave the reasons of the others for the report.

        Args:
            context: of the task.
            needs: what each backup needs, the most urgent first.
            first: the name of the one without which none is made.

        Raises:
            NoSpaceError: none fits, or not that one.
        """
        space, reserve = FreeSpace.of(self.vault().root), site_file.current().vault.reserve
        need_bytes = sum(need.bytes for need in needs)
        self.log.info("%s bytes needed, %s free, %s reserved.", need_bytes, space.free_bytes, int(reserve))
        refused = space.refusals(needs, reserve)
        if refused and (first in refused or len(refused) == len(needs)):
            raise NoSpaceError(refused.get(first) or next(iter(refused.values())))
        if refused:
            context["ti"].xcom_push(REFUSED, refused)
        return [need.name for need in needs if need.name not in refused]
