"""Starts a process of the agent's own that outlives whoever asked for it, and his SSH session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SYSTEMD = Path("/run/systemd/system")  # there exactly when systemd runs the host (sd_booted(3))


def start(arguments: list[str], unit: str, *, again: bool = False) -> None:
    """Run this very program with other arguments, in a session of its own.

    Where systemd runs the host, and we are root, as a transient service: a session's end kills what is left
    of it there (``KillUserProcesses``). A user's own services would end with his session, too.

    Args:
        arguments: of the agent's command line.
        unit: the service's name.
        again: whether it is to come again when it's killed; only systemd can do that.
    """
    program = [sys.executable, os.path.abspath(sys.argv[0]), *arguments]  # noqa: PTH100 - links stay
    if _SYSTEMD.is_dir() and os.geteuid() == 0 and _as_service(program, unit, again=again):
        return
    subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def _as_service(program: list[str], unit: str, *, again: bool) -> bool:
    settings = ["--collect", "--quiet", "--property=KillMode=process"]  # qemu-nbd outlives who started it
    settings += ["--property=Restart=on-failure"] if again else []
    try:
        done = subprocess.run(
            ["systemd-run", f"--unit={unit}", *settings, "--", *program], capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0
