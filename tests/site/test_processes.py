"""Whoever is started is ended, with all that came of it."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.site import processes


def test_a_process_that_ignores_term_is_ended_all_the_same(tmp_path: Path) -> None:
    """And so is a child of its that went into a session of its own."""
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


def test_processes_are_found_by_their_mark_when_nobody_knows_their_parent(tmp_path: Path) -> None:
    """What is left after the power cut of a demo."""
    mark = f"STAND_IN_TEST={tmp_path}"
    name, _, value = mark.partition("=")
    script = "setsid sleep 60 & setsid sleep 60 &"
    subprocess.run(["sh", "-c", script], env={**os.environ, name: value}, check=True)
    left = processes.marked(mark)
    processes.end([], lambda: processes.marked(mark), patience_s=0)

    assert len(left) == 2
    assert not processes.marked(mark)
