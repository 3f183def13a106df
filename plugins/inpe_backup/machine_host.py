"""A KVM host of the site, asked through its Airflow connection."""

from include import site_file
from include.machines.host import Host


def machine_host(connection: str) -> Host:
    """Open the way to a host.

    Raises:
        ConfigError: the site file doesn't name it, or the connection isn't fit for it.
    """
    from inpe_backup.ssh import SshDoor  # noqa: PLC0415 - paramiko costs every task 150 ms that doesn't use it

    section = site_file.current().machines.host(connection)
    return Host(SshDoor(connection), section.uri, section.state, section.scratch)
