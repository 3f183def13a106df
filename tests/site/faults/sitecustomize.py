"""Makes something go wrong at an exact step of the agent's journal: after it's on disk, before it's taken.

Python imports this by itself where the folder is on PYTHONPATH, as on a stand-in KVM host with faults. The
agent has no part in it: an audit hook (PEP 578) sees the journal opened, and springs at the next thing that
the agent does to the outside.
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
    """Watches what the process does."""

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._journal: str | None = None
        self._size = 0
        self._springing = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at one audited event."""
        if self._springing:
            return
        if self._journal and _size(self._journal) > self._size:
            journal, self._journal, self._springing = self._journal, None, True
            self._look(journal)
            self._springing = False
        if event == "open" and str(arguments[0]).endswith(_JOURNAL) and "a" in str(arguments[1]):
            self._journal, self._size = str(arguments[0]), _size(str(arguments[0]))

    def _look(self, journal: str) -> None:
        with suppress(OSError, ValueError):
            planned = json.loads(self._plan.read_text())
            if json.loads(Path(journal).read_text().splitlines()[-1])["step"] == planned["step"]:
                self._plan.rename(self._plan.with_name("sprung"))
                _FAULTS[planned["fault"]]()


def _size(path: str) -> int:
    with suppress(OSError):
        return os.stat(path).st_size  # noqa: PTH116 - pathlib would be audited as well
    return 0


def _kill_agent() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_sessions() -> None:
    subprocess.run(["pkill", "-KILL", "-f", _SESSIONS], check=False)


def _kill_libvirtd() -> None:
    subprocess.run(["pkill", "-KILL", "-x", "libvirtd"], check=False)
    again = ["sh", "-c", "sleep 1; exec libvirtd --daemon"]  # as a service manager does
    subprocess.Popen(again, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _hold_still() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)  # until the test pulls the plug, or lets it go on


def _kill_everybody() -> None:
    subprocess.run(["pkill", "-KILL", "-f", _AGENTS], check=False)


_FAULTS = {
    "agent": _kill_agent,
    "everybody": _kill_everybody,
    "ssh": _kill_sessions,
    "libvirtd": _kill_libvirtd,
    "reboot": _hold_still,
    "stall": _hold_still,
}

if plan := os.environ.get("FAULT_PLAN"):
    sys.addaudithook(_Trap(Path(plan)))
