"""A folder that days are restored into: of the worker, or of a host behind an Airflow SSH connection."""

from include import site_file
from include.restore.local_door import LocalDoor
from include.restore.request import RestoreRequest
from include.restore.target import Target


def restore_target(asked: RestoreRequest) -> Target:
    """Open the way to it.

    Raises:
        ConfigError: the connection isn't fit for it: it must pin its host key.
    """
    pattern = site_file.current().supim.source.pattern
    if asked.connection is None:
        return Target(LocalDoor(), asked.folder, pattern)
    from inpe_backup.ssh import SshDoor  # noqa: PLC0415 - paramiko costs every task 150 ms that doesn't use it

    return Target(SshDoor(asked.connection), asked.folder, pattern)
