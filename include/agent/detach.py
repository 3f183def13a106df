"""Start a process of the agent that outlives its caller and the SSH session."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from include.agent.state_folder import VmFolder
from include.agent.virsh import Virsh

_SYSTEMD = Path("/run/systemd/system")  # exists only if systemd is the host's init (sd_booted(3))


def start(arguments: list[str], unit: str, *, restart: bool = False) -> None:
    """Run this program with other arguments, in a session of its own.

    As root under systemd, run it as a transient service: with ``KillUserProcesses``, the end of a session
    kills all its processes. A user's own services would end with the session, too.

    Args:
        arguments: the arguments of the agent's command line.
        unit: the service's name.
        restart: whether to restart it when it is killed; only systemd can do that.
    """
    program = [sys.executable, os.path.abspath(sys.argv[0]), *arguments]  # noqa: PTH100 - links stay
    if _SYSTEMD.is_dir() and os.geteuid() == 0 and _as_service(program, unit, restart=restart):
        return
    subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def typed(virsh: Virsh, folder: VmFolder, command: str, *options: str) -> str:
    """Return what a person types on the host to run a command of this program for a VM, for messages.

    Args:
        virsh: the host's libvirt.
        folder: the VM's folder.
        command: the command.
        options: its options.
    """
    program = [sys.executable, os.path.abspath(sys.argv[0])]  # noqa: PTH100 - links stay
    own = ["--uri", virsh.uri, "--state", str(folder.path.parent.parent)]
    return " ".join(map(shlex.quote, [*program, *own, command, *options, folder.uuid]))


def _as_service(program: list[str], unit: str, *, restart: bool) -> bool:
    settings = ["--collect", "--quiet", "--property=KillMode=process"]  # qemu-nbd must outlive the job
    settings += ["--property=Restart=on-failure"] if restart else []
    try:
        done = subprocess.run(
            ["systemd-run", f"--unit={unit}", *settings, "--", *program], capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0
