"""Processes of the stand-in institute: started apart, found again with all their children, ended for good.

A server's children leave its process group (Airflow's tasks, sshd's sessions), some its session too, and
those of a killed parent belong to nobody. So they are found by three signs, read from Linux' ``/proc``:
parent, session, and a marker in their environment.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_KILL_PATIENCE_S = 5.0
_POLL_S = 0.05
_TAIL_LINES = 25


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int
    born: int
    is_dead: bool


def start(
    command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own (Ctrl-C doesn't reach it), its output added to a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )


def family(ancestors: Iterable[int]) -> set[int]:
    """Give the living processes among these, their descendants, and whoever shares a session with them.

    A member of a dead ancestor's session is found too: as long as it lives, the number isn't given again.
    """
    everyone = _all()
    members = set(ancestors)
    grown = True
    while grown:
        relatives = {p.pid for p in everyone if p.parent in members or p.session in members} - members
        grown = bool(relatives)
        members |= relatives
    return {p.pid for p in everyone if p.pid in members and not p.is_dead} - {os.getpid()}


def marked(variable: str) -> set[int]:
    """Give the living processes that were started with ``NAME=value`` in their environment."""
    found = set()
    for process in _all():
        with suppress(OSError):
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if variable.encode() in environment and not process.is_dead:
                found.add(process.pid)
    return found - {os.getpid()}


def end(leaders: Iterable[int], find: Callable[[], set[int]], *, patience_s: float) -> None:
    """End processes: TERM to the leaders' groups, time to finish, then KILL until nobody is found.

    Raises:
        TimeoutError: somebody survived, in an uninterruptible wait as a rule.
    """
    watch = _Watch(find)
    watch.alive()
    for leader in leaders:
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGTERM)
    _wait(lambda: not watch.alive(), patience_s)
    deadline = time.monotonic() + _KILL_PATIENCE_S
    while survivors := watch.alive():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Processes {sorted(survivors)} survived SIGKILL.")
        for pid in survivors:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _wait(lambda: not watch.alive(), _POLL_S)


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Give the end of a log, for an error message."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError as unreadable:
        return f"({unreadable})"


class _Watch:
    """Remembers who was seen: a child that outlives its parent is nobody's descendant any more."""

    def __init__(self, find: Callable[[], set[int]]) -> None:
        self._find = find
        self._seen: set[tuple[int, int]] = set()

    def alive(self) -> set[int]:
        """Give the living among those looked for and those seen before, with their families."""
        born = {process.pid: process.born for process in _all() if not process.is_dead}
        # By number and birth: a number may be given to a stranger once its owner is gone.
        still = {pid for pid, when in self._seen if born.get(pid) == when}
        alive = self._find() | family(still)
        self._seen = {(pid, born[pid]) for pid in alive if pid in born}
        return alive


def _all() -> list[_Process]:
    return [process for entry in Path("/proc").glob("[0-9]*") if (process := _read(entry))]


def _read(entry: Path) -> _Process | None:
    try:
        # The name in parentheses may hold anything; the fields follow its last one (proc(5)).
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, parent, session, born = fields[0], fields[1], fields[3], fields[19]
    return _Process(int(entry.name), int(parent), int(session), int(born), state in "ZX")


def _wait(reached: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
