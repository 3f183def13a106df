"""Shut a guest down."""

from __future__ import annotations

import time
from contextlib import suppress

from include.agent.errors import LibvirtError
from include.agent.virsh import Virsh

POLL_S = 0.1
ASK_AGAIN_S = 10.0  # a guest that is still booting ignores its power button


def shut_down(virsh: Virsh, uuid: str, timeout_s: float) -> bool:
    """Ask a guest to shut down, and return whether it did in time; libvirtd may be away meanwhile."""
    deadline = time.monotonic() + timeout_s
    ask_at = 0.0
    while time.monotonic() < deadline:
        with suppress(LibvirtError):
            if virsh.state(uuid) == "shut off":
                return True
            if time.monotonic() >= ask_at:
                virsh.run("shutdown", f"--domain={uuid}")
                ask_at = time.monotonic() + ASK_AGAIN_S
        time.sleep(POLL_S)
    return False
