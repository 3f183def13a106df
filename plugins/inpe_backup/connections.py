"""The hosts behind Airflow's SSH connections: the SUPIM source, KVM hosts, restore targets."""

from include.config import site_file
from include.days.source import Source
from include.remote.local import LocalTransport
from include.restore.day_request import DayRestoreRequest
from include.restore.target import RestoreTarget
from include.vms.host import Host

# Importing paramiko takes 150 ms, which tasks without a host shouldn't pay.


def supim_source(ssh_conn_id: str) -> Source:
    """Return the SUPIM source behind a connection.

    Raises:
        ConfigError: the connection pins no host key, or has no key to log in with.
    """
    from inpe_backup.ssh_transport import SshTransport  # noqa: PLC0415 - see above

    supim = site_file.current().supim
    return Source(
        transport=SshTransport(ssh_conn_id),
        root=supim.source.root,
        pattern=supim.source.pattern,
        check_descriptors=supim.check.grads is not None,
        steps_per_day=supim.check.grads.steps if supim.check.grads else None,
        exclude=supim.source.exclude,
    )


def kvm_host(ssh_conn_id: str) -> Host:
    """Return a KVM host of the site file.

    Raises:
        ConfigError: the site file doesn't have it; the connection pins no host key, or has no key.
    """
    from inpe_backup.ssh_transport import SshTransport  # noqa: PLC0415 - see above

    section = site_file.current().vms.host(ssh_conn_id)
    transport = SshTransport(ssh_conn_id)
    return Host(transport, section.uri, section.state, section.scratch, disk_folders=section.disk_folders)


def restore_target(request: DayRestoreRequest) -> RestoreTarget:
    """Return the folder that days are restored to: on the worker, or on the host behind a connection.

    Raises:
        ConfigError: the connection pins no host key, or has no key to log in with.
    """
    pattern = site_file.current().supim.source.pattern
    if request.ssh_conn_id is None:
        return RestoreTarget(LocalTransport(), request.folder, pattern)
    from inpe_backup.ssh_transport import SshTransport  # noqa: PLC0415 - see above

    return RestoreTarget(SshTransport(request.ssh_conn_id), request.folder, pattern)
