"""Room for the images, before any machine is stopped."""

from typing import Any

from airflow.sdk import Context

from include import site_file
from include.errors import ConfigError, HostError
from include.machines.plan import FILES, Action, Planned, require_unique, room_needed
from include.space import Room
from inpe_backup.leavings import Leavings
from inpe_backup.operators.backup_operator import BackupOperator


class EnsureRoomOperator(BackupOperator):
    """Refuse to begin when the vault has no room for all images; then hand out the machines.

    Args:
        list_task: the id of the mapped task that leaves a list of ``Planned`` for each host.
    """

    def __init__(self, *, list_task: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.list_task = list_task

    def work(self, context: Context) -> list[dict[str, Any]]:
        """Give the machines to image: ``host``, ``name``, ``uuid``, ``need_bytes``; none in a dry run."""
        planned = [one for one in self._planned(context) if one.action is Action.IMAGE]
        require_unique(planned)
        need, reserve = room_needed(planned), site_file.current().vault.reserve
        room = Room.of(self.vault().root)
        self.log.info("%s bytes needed, %s free, %s kept in reserve.", need, room.free_bytes, int(reserve))
        if planned:
            room.require(need, FILES * len(planned), reserve)
        if context["params"]["dry_run"]:
            return []
        return [
            {"host": one.host, "name": one.name, "uuid": one.uuid, "need_bytes": room_needed([one])}
            for one in planned
        ]

    def _planned(self, context: Context) -> list[Planned]:
        hosts = site_file.current().machines.hosts
        if not hosts:
            raise ConfigError("The site file names no KVM host: machines.hosts is empty.")
        left = Leavings(context)
        lists = [left.result(self.list_task, index) for index in range(len(hosts))]
        if all(found is None for found in lists):
            raise HostError("No KVM host could be asked for its machines. No machine was stopped.")
        return [Planned.model_validate(one) for found in lists for one in found or ()]
