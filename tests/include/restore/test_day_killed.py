"""A restore that is killed at any moment leaves no file half there, and the next one comes through."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from include.listing import Listing
from include.ordinal_day import FolderPattern
from include.restore.day import DayRestore
from include.restore.request import RestoreRequest
from include.restore.target import Target
from include.restore.target_agent import Place
from tests.include.days import DAY, hashed, tree
from tests.include.machine import environment, program
from tests.include.rehearsal import contents
from tests.include.restore.work import PLAIN, Work, publish
from tests.include.worker import CHANGES

MB = 1 << 20


class Within:
    """The program of the target in the process that asks it, so that both die at once."""

    connection = None
    route = None

    def __init__(self) -> None:
        self._place = Place()

    def converse(self, command: str, program: bytes) -> "Within":  # noqa: ARG002 - it's here already
        """Begin."""
        return self

    def ask(self, line: bytes) -> bytes:
        """Answer."""
        return json.dumps(self._place.answer(json.loads(line))).encode()

    def close(self) -> None:
        """End."""


class Fate:
    """Kills the process before its change of that number to what is below a folder, or before a program."""

    def __init__(self, folder: str, die_before: int) -> None:
        self._folder = folder
        self._left = die_before

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count."""
        if event in CHANGES and self._counts(event, arguments):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _counts(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            return False  # only rsync writes files
        paths = [os.fsdecode(one) for one in arguments if isinstance(one, (str, bytes))]
        return event == "subprocess.Popen" or any(
            path.startswith(self._folder) or not path.startswith("/") for path in paths
        )


def killed_before(work: Work, change: int) -> bool:
    """Restore in a process that is killed before a change; False where it made fewer."""
    pid = os.fork()
    if pid == 0:
        sys.addaudithook(Fate(work.folder, change))
        asked = RestoreRequest(day=DAY, folder=work.folder)
        target = Target(Within(), work.folder, FolderPattern("{year}/{day:03d}"))
        DayRestore(work.vault, target, asked, DAY, 0, "a restore", lambda _: None).restore()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


def whole(found: Listing, wanted: Listing) -> bool:
    """Tell whether each file that has its name is whole."""
    return all(wanted.by_path[entry.path].sha256 == entry.sha256 for entry in found.files)


def test_a_restore_can_be_killed_before_each_change_it_makes(here: Work) -> None:
    """Whatever has its name by then is whole; the next try ends it, and nothing else is left."""
    published = publish(here.vault, PLAIN)
    vault, seen = tree(here.vault.root), set()
    for change in count(1):
        shutil.rmtree(here.folder)
        Path(here.folder).mkdir()
        if not killed_before(here, change):
            assert change > 20, "it made fewer changes than it must: were they counted?"
            break
        named = hashed(here.day) if here.day.exists() else Listing(())
        seen.add(len(named.files))
        assert whole(named, hashed(published.folder))
        here.restore()
        assert contents(here.day) == contents(published.folder)
        assert here.left_over() == []
    assert seen == {0, 1, 2, 3}
    assert tree(here.vault.root) == vault


def test_a_restore_that_is_killed_while_it_sends_goes_on_where_it_was(here: Work, tmp_path: Path) -> None:
    """Typed at a terminal, over a slow wire, killed with the signal that nobody can catch."""
    published = publish(here.vault, {"a": os.urandom(MB), "b": os.urandom(8 * MB)})
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "rsync"
    slow.write_text(f'#!/bin/sh\nexec {shutil.which(program("rsync"))} --bwlimit=2m "$@"\n')
    slow.chmod(0o755)
    typed = [sys.executable, "-m", "include", "restore-day", "2026-268"]
    typed += ["--to", here.folder, "--vault", str(here.vault.root)]
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    staging = here.day.with_name(".268.restoring")

    process = subprocess.Popen(typed, env=environment() | {"PATH": path})
    while not (staging / "b").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not here.day.exists()
    kept = (staging / "a").stat().st_ino

    while True:  # what was killed may take a moment to be gone, and holds the lock until then
        done = subprocess.run(typed, env=environment(), capture_output=True, text=True, check=False)
        if "Another restore of the day is at" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    assert contents(here.day) == contents(published.folder)
    assert (here.day / "a").stat().st_ino == kept
    assert here.left_over() == []
