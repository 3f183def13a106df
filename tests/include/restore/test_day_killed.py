"""A restore that is killed at any moment leaves no partial file, and the next one completes it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from include.days.manifest import Manifest
from include.days.manifest_builder import manifest_with
from include.ordinal_day import FolderPattern
from include.remote.local import LocalTransport
from include.restore.day import DayRestore
from include.restore.day_request import DayRestoreRequest
from include.restore.target import RestoreTarget
from include.restore.target_program import TargetFolder
from tests.include.days.day_tasks import contents
from tests.include.days.sample_days import DAY, contents_of, hashed, tree
from tests.include.days.worker import CHANGES
from tests.include.project_process import environment
from tests.include.restore.day_restores import PLAIN, Work, publish
from tests.session.needs import program

MB = 1 << 20


class Within(LocalTransport):
    """Run the target's program in this process, so that both are killed at once."""

    def __init__(self) -> None:
        self._target = TargetFolder()
        self._lines: Iterator[dict[str, Any]] = iter(())

    def open(self, command: str, program: bytes) -> Any:  # noqa: ANN401, ARG002 - as a transport has it
        """Return the session."""
        return self

    def ask(self, line: bytes) -> bytes:
        """Answer a request."""
        self._lines = self._target.answer(json.loads(line))
        return self.next_line()

    def next_line(self) -> bytes:
        """Return the next line of the answer."""
        return json.dumps(next(self._lines)).encode()

    def beat(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Fate:
    """An audit hook that kills the process before its n-th change below a folder or its n-th program."""

    def __init__(self, folder: str, die_before: int) -> None:
        self._folder = folder
        self._left = die_before

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count the changes, and kill the process before the n-th."""
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
    """Restore in a process that is killed before its n-th change; return False if it made fewer changes."""
    pid = os.fork()
    if pid == 0:
        try:
            sys.addaudithook(Fate(work.folder, change))
            request = DayRestoreRequest(day=DAY, folder=work.folder)
            target = RestoreTarget(Within(), work.folder, FolderPattern("{year}/{day:03d}"))
            DayRestore(work.vault, target, request, DAY, 0, "a restore", lambda _: None).restore()
            os._exit(0)
        finally:
            os._exit(1)  # not back into the tests, of which this process is a copy
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


def intact(found: Manifest, expected: Manifest) -> bool:
    """Return whether each published file is intact."""
    return contents_of(found).items() <= contents_of(expected).items()


def test_a_restore_can_be_killed_before_each_change_it_makes(here: Work) -> None:
    """Files that have their names are intact; the next restore completes the day and leaves nothing else."""
    published = publish(here.vault, PLAIN)
    vault, counts = tree(here.vault.root), set()
    for change in count(1):
        shutil.rmtree(here.folder)
        Path(here.folder).mkdir()
        if not killed_before(here, change):
            assert change > 20, "fewer changes were counted than a restore makes"
            break
        published_files = hashed(here.day) if here.day.exists() else manifest_with(())
        counts.add(published_files.totals.files)
        assert intact(published_files, hashed(published.folder))
        here.restore()
        assert contents(here.day) == contents(published.folder)
        assert here.left_over() == []
    assert counts == {0, 1, 2, 3}
    assert tree(here.vault.root) == vault


def test_a_restore_that_is_killed_while_it_sends_resumes(here: Work, tmp_path: Path) -> None:
    """From the command line, over a slow connection, by SIGKILL."""
    published = publish(here.vault, {"a": os.urandom(MB), "b": os.urandom(8 * MB)})
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "rsync"
    slow.write_text(f'#!/bin/sh\nexec {shutil.which(program("rsync"))} --bwlimit=2m "$@"\n')
    slow.chmod(0o755)
    command = [sys.executable, "-m", "include.cli", "restore-day", "2026-268"]
    command += ["--to", here.folder, "--vault", str(here.vault.root)]
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    staging = here.day.with_name(".268.restoring")

    process = subprocess.Popen(command, env=environment() | {"PATH": path})
    while not (staging / "b").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not here.day.exists()
    inode = (staging / "a").stat().st_ino

    while True:  # the killed processes may keep the lock for a moment
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        if "Another restore of the day is running" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    assert contents(here.day) == contents(published.folder)
    assert (here.day / "a").stat().st_ino == inode
    assert here.left_over() == []
