"""Processes are ended with all their descendants."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.site import processes


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """So is its child in a session of its own."""
    script = (
        "trap '' TERM; setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" & while :; do sleep 1; done"
    )
    leader = processes.start(["sh", "-c", script], log=tmp_path / "log")
    time.sleep(0.3)
    family = processes.family([leader.pid])
    processes.end([leader.pid], lambda: processes.family([leader.pid]), patience_s=0.2)

    assert len(family) >= 3
    assert leader.wait(timeout=5) == -signal.SIGKILL
    assert not processes.family(family)


def test_a_child_that_was_started_between_two_looks_is_ended() -> None:
    """Its parent, seen alive at the first, is dead at the second."""
    parent = subprocess.Popen(
        ["sh", "-c", "read go; sleep 60 &"], stdin=subprocess.PIPE, start_new_session=True
    )
    looks = iter([{parent.pid}])

    def find() -> set[int]:
        if seen := next(looks, None):
            return seen
        if parent.poll() is None:
            parent.communicate(b"go\n")
        return set()

    processes.end([], find, patience_s=0)
    assert not processes.family([parent.pid])


def test_orphaned_processes_are_found_by_their_mark(tmp_path: Path) -> None:
    """As after a demo that was killed."""
    mark = f"STAND_IN_TEST={tmp_path}"
    name, _, value = mark.partition("=")
    script = "setsid sleep 60 & setsid sleep 60 &"
    subprocess.run(["sh", "-c", script], env={**os.environ, name: value}, check=True)
    left = processes.marked(mark)
    processes.end([], lambda: processes.marked(mark), patience_s=0)

    assert len(left) == 2
    assert not processes.marked(mark)
