"""A systemctl on a stand-in host that always succeeds: no systemd runs there, and nothing watches."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.site.kvm_host import KvmHost

_PROGRAM = "/usr/bin/systemctl"


@contextmanager
def systemctl(host: KvmHost) -> Iterator[None]:
    """Have the agent on a host find a systemd during the block; the host has the program."""
    script = host.folder / "systemctl"
    script.write_text("#!/bin/sh\n", encoding="ascii")
    script.chmod(0o755)
    host.run("mkdir", "-p", "/run/systemd/system", "/etc/systemd/system")
    host.run("mount", "--bind", str(script), _PROGRAM)
    try:
        yield
    finally:
        host.run("umount", _PROGRAM)
        host.run("rmdir", "/run/systemd/system")
