"""Makes a fault happen at a step of the agent's journal: after it's on disk, before it's taken.

Python imports this file wherever its folder is on PYTHONPATH, as on the stand-in KVM host. The agent has no
part in it: an audit hook (PEP 578) sees the journal opened for a step, and triggers the fault at the agent's
next event.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_JOURNAL = "/journal.jsonl"
_SESSIONS = r"^sshd: \w+(@| \[)"  # the listener's title has a path there
_AGENTS = r"agent-[0-9a-f]+\.pyz"


class _Trap:
    """An audit hook that triggers the planned fault."""

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._journal: str | None = None
        self._size = 0
        self._triggered = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Check an audited event."""
        if self._triggered:
            return
        if self._journal and _size(self._journal) > self._size:
            journal, self._journal, self._triggered = self._journal, None, True
            self._trigger(journal)
            self._triggered = False
        if event == "open" and str(arguments[0]).endswith(_JOURNAL) and "a" in str(arguments[1]):
            self._journal, self._size = str(arguments[0]), _size(str(arguments[0]))

    def _trigger(self, journal: str) -> None:
        with suppress(OSError, ValueError):
            planned = json.loads(self._plan.read_text())
            if json.loads(Path(journal).read_text().splitlines()[-1])["step"] == planned["step"]:
                self._plan.rename(self._plan.with_name("happened"))
                _FAULTS[planned["fault"]]()


def _size(path: str) -> int:
    with suppress(OSError):
        return os.stat(path).st_size  # noqa: PTH116 - pathlib would be audited, too
    return 0


def _kill_agent() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_sessions() -> None:
    subprocess.run(["pkill", "-KILL", "-f", _SESSIONS], check=False)


def _kill_libvirtd() -> None:
    # The host's first process starts it again.
    subprocess.run(["pkill", "-KILL", "-x", "libvirtd"], check=False)


def _stop_agent() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)  # until the test cuts the power, or continues it


def _kill_everybody() -> None:
    subprocess.run(["pkill", "-KILL", "-f", _AGENTS], check=False)


_FAULTS = {
    "agent": _kill_agent,
    "everybody": _kill_everybody,
    "ssh": _kill_sessions,
    "libvirtd": _kill_libvirtd,
    "reboot": _stop_agent,
    "stall": _stop_agent,
}

if plan := os.environ.get("FAULT_PLAN"):
    sys.addaudithook(_Trap(Path(plan)))
