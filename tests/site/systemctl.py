"""A systemctl on a stand-in host, where no systemd runs: it runs the agent's timer, and does nothing else."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.site.kvm_host import KvmHost

_PROGRAM = "/usr/bin/systemctl"
_UNITS = "/etc/systemd/system"
_SCRIPT = f"""\
#!/bin/sh
# Starts a timer, ends it, and says whether it runs.
[ "$1" != --quiet ] || shift
verb=$1
for timer; do :; done # the last word
pid=/run/$timer.pid
runs() {{ [ -e "$pid" ] && kill -0 "$(cat "$pid")"; }}
case $verb in
enable)
    runs && exit
    setsid "$0" run "$timer" </dev/null >/dev/null 2>&1 &
    echo $! >"$pid"
    ;;
run)
    seconds=$(sed -n 's/^OnUnitInactiveSec=//p' "{_UNITS}/$timer")
    command=$(sed -n 's/^ExecStart=//p' "{_UNITS}/${{timer%.timer}}.service")
    while sleep "$seconds"; do eval "$command"; done
    ;;
is-enabled | is-active) runs ;;
disable) kill "$(cat "$pid")" ;;
esac
"""


def install(host: KvmHost) -> None:
    """Have the agent on a host find a systemd until the host goes down; the host has the program.

    Its units stay for the next time, when their timers run again, as after a boot.
    """
    script, units = host.folder / "systemctl", host.folder / "units"
    script.write_text(_SCRIPT, encoding="ascii")
    script.chmod(0o755)
    units.mkdir(exist_ok=True)
    host.run("mkdir", "-p", "/run/systemd/system", _UNITS)
    host.run("mount", "--bind", str(script), _PROGRAM)
    host.run("mount", "--bind", str(units), _UNITS)
    for timer in sorted(units.glob("*.timer")):
        host.run(_PROGRAM, "enable", timer.name)


@contextmanager
def systemctl(host: KvmHost) -> Iterator[None]:
    """Have the agent on a host find a systemd during the block; nothing is left of its units."""
    install(host)
    try:
        yield
    finally:
        host.run("sh", "-c", "cat /run/*.timer.pid | xargs -r kill", check=False)
        host.run("umount", "--lazy", _PROGRAM, _UNITS)  # a timer that is just ending has the program open
        host.run("rmdir", "/run/systemd/system")
        shutil.rmtree(host.folder / "units")
