"""Starts a process of the agent's own that outlives whoever asked for it, and his SSH session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SYSTEMD = Path("/run/systemd/system")  # there exactly when systemd runs the host (sd_booted(3))


def start(arguments: list[str], unit: str) -> None:
    """Run this very program with other arguments, in a session of its own.

    Where systemd runs the host, as a transient service: a session's end kills what is left of it there
    (``KillUserProcesses``), and a service that is killed comes again.

    Args:
        arguments: of the agent's command line.
        unit: the service's name.
    """
    program = [sys.executable, sys.argv[0], *arguments]
    if _SYSTEMD.is_dir() and _as_service(program, unit):
        return
    if os.fork() == 0:  # the child; its own child is nobody's but init's
        os.setsid()
        with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 - a device
            for standard in range(3):
                os.dup2(nothing.fileno(), standard)
        subprocess.Popen(program, close_fds=True, cwd="/")
        os._exit(0)
    os.wait()


def _as_service(program: list[str], unit: str) -> bool:
    whose = [] if os.geteuid() == 0 else ["--user"]
    settings = ["--collect", "--quiet", "--property=KillMode=process", "--property=Restart=on-failure"]
    command = ["systemd-run", *whose, f"--unit={unit}", *settings, "--", *program]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
