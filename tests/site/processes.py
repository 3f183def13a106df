"""Processes of the stand-in institute: started in sessions of their own, and ended with all descendants.

A server's children leave its process group (Airflow's tasks, sshd's sessions), some even its session, and
those of a killed parent are orphans. So they are found in Linux' ``/proc`` by three signs: parent, session,
and a variable in their environment.
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
    """Start a server in a session of its own, out of reach of Ctrl-C; append its output to a log."""
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
    """Return the living among these processes, their descendants, and all processes in their sessions.

    Members of a dead ancestor's session are found, too: while they live, the kernel doesn't reuse its PID.
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
    """Return the living processes that have ``NAME=value`` in their initial environment."""
    found = set()
    for process in _all():
        with suppress(OSError):
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if variable.encode() in environment and not process.is_dead:
                found.add(process.pid)
    return found - {os.getpid()}


def end(leaders: Iterable[int], find: Callable[[], set[int]], *, patience_s: float) -> None:
    """End processes: SIGTERM to the leaders' groups, time to finish, then SIGKILL until none is left.

    Raises:
        TimeoutError: a process survived, usually in an uninterruptible wait.
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
    """Return the last lines of a log, for error messages."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError as unreadable:
        return f"({unreadable})"


class _Watch:
    """Remembers processes: a child that outlives its parent is no descendant any more."""

    def __init__(self, find: Callable[[], set[int]]) -> None:
        self._find = find
        self._known: set[tuple[int, int]] = set()

    def alive(self) -> set[int]:
        """Return the living among the processes found now and before, with their families."""
        born = {process.pid: process.born for process in _all() if not process.is_dead}
        # By PID and start time: the kernel may reuse a PID. Sessions of the dead may have grown.
        known = {(pid, when) for pid, when in self._known if born.get(pid, when) == when}
        alive = self._find() | family(pid for pid, _ in known)
        self._known = known | {(pid, born[pid]) for pid in alive if pid in born}
        return alive


def _all() -> list[_Process]:
    return [process for entry in Path("/proc").glob("[0-9]*") if (process := _read(entry))]


def _read(entry: Path) -> _Process | None:
    try:
        # The name in parentheses may contain anything; the other fields follow the last one (proc(5)).
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
