"""The site's SUPIM source, asked through its Airflow connection."""

from include import site_file
from include.source import Source


def supim_source() -> Source:
    """Open the way to the cluster.

    Raises:
        ConfigError: the connection isn't fit for it.
    """
    from inpe_backup.ssh import SshDoor  # noqa: PLC0415 - paramiko costs every task 150 ms that doesn't use it

    supim = site_file.current().supim
    return Source(
        door=SshDoor(supim.source.connection),
        root=supim.source.root,
        pattern=supim.source.pattern,
        check_descriptors=supim.check_descriptors,
        steps_per_day=supim.steps_per_day,
    )
