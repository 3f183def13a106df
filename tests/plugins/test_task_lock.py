"""Locks that keep the tasks of this machine apart."""

import multiprocessing
import time
from pathlib import Path

import pytest

from inpe_backup.task_lock import lock_file, lock_until_exit, locked

fork = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own for locks."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def _hold(seconds: float) -> None:
    lock_until_exit("test", 5)
    time.sleep(seconds)


def test_a_task_keeps_others_out_until_its_process_ends() -> None:
    """Not only until it's done: what it published is written after that."""
    holder = fork.Process(target=_hold, args=(0.4,))
    holder.start()
    while not lock_file("test").exists():
        time.sleep(0.01)
    time.sleep(0.1)
    with locked("test", 5):
        assert not holder.is_alive()
    holder.join()
    with locked("test", 0.1):
        pass


def test_a_lock_that_cant_be_had_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder hangs, or the file belongs to somebody else."""
    began = time.monotonic()
    with locked("test", 1), locked("test", 0.1):
        pass
    lock_file("other").symlink_to(tmp_path / "elsewhere")
    lock_until_exit("other", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no folder"))
    with locked("test", 1):
        pass
    assert time.monotonic() - began < 1
    assert not (tmp_path / "elsewhere").exists()
