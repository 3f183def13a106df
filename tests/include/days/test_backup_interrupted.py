"""An interrupted copy resumes, and a day that changes during the copy isn't published."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.errors import DayNotVerifiedError, NotSettledError, SourceUnreachableError, TransientError
from tests.include.days.day_tasks import Rehearsal
from tests.include.days.sample_days import DAY
from tests.include.days.worker import Worker
from tests.include.tcp_proxy import Wire
from tests.site.sshd import SshServer

MB = 1 << 20
BIG = 16 * MB  # more than all buffers between source and vault
WRITTEN = 3 * MB


@pytest.fixture
def rehearsal(rehearsal: Rehearsal) -> Rehearsal:
    """A day of two files that can't be compressed, the larger one first."""
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(big=os.urandom(BIG), zz=os.urandom(MB))
    return rehearsal


def halfway(rehearsal: Rehearsal) -> Callable[[Wire], bool]:
    """Return a condition that holds once part of the large file is in staging."""
    staged = DayArchive(rehearsal.vault).staged(DAY).data / "big"
    return lambda _: staged.exists() and staged.stat().st_size > WRITTEN


def rsyncs(rehearsal: Rehearsal) -> list[int]:
    """Return the process ids of the rsyncs that write into the vault."""
    staged = os.fsencode(DayArchive(rehearsal.vault).staged(DAY).data)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[0] == b"rsync" and staged + b"/" in arguments:
            found.append(int(process.name))
    return found


def check_resumes(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """Repeat the backup; check that it transfers only the rest, and that the day is published."""
    with Wire(cluster) as wire:
        rehearsal.but(connection=wire.connection).do()
    assert wire.carried < BIG + MB - WRITTEN + 200_000
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()


def test_a_copy_whose_connection_broke_resumes(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """Nothing is published before it's complete."""
    kept = pytest.raises(SourceUnreachableError, match="What was copied is kept")
    with Wire(cluster, halfway(rehearsal), Wire.cut) as wire, kept:
        rehearsal.but(connection=wire.connection).do("copy")
    assert WRITTEN < (DayArchive(rehearsal.vault).staged(DAY).data / "big").stat().st_size < BIG
    assert rehearsal.published() == []
    check_resumes(rehearsal, cluster)


def test_an_incomplete_copy_isnt_published(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """Publishing is refused."""
    with Wire(cluster, halfway(rehearsal), Wire.cut) as wire, pytest.raises(SourceUnreachableError):
        rehearsal.but(connection=wire.connection).do("copy")
    with pytest.raises(DayNotVerifiedError):
        rehearsal.do("publish")
    assert rehearsal.published() == []


def _kill_rsync(rehearsal: Rehearsal, signal_number: signal.Signals) -> Callable[[Wire], None]:
    def kill(_: Wire) -> None:
        for pid in rsyncs(rehearsal):
            os.kill(pid, signal_number)

    return kill


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_rsync_is_transient_and_the_copy_resumes(
    rehearsal: Rehearsal, cluster: SshServer, signal_number: signal.Signals
) -> None:
    """Whether the kernel killed it for memory, or a person did."""
    with (
        Wire(cluster, halfway(rehearsal), _kill_rsync(rehearsal, signal_number)) as wire,
        pytest.raises(TransientError),
    ):
        rehearsal.but(connection=wire.connection).do("copy")
    check_resumes(rehearsal, cluster)


def test_the_rsync_of_a_killed_worker_ends_with_it_and_the_copy_resumes(
    rehearsal: Rehearsal, cluster: SshServer, worker: Worker
) -> None:
    """No orphan goes on writing into a day that isn't locked any more."""
    pids: list[int] = []
    orphans: list[int] = []

    def kill(_: Wire) -> None:
        orphans.extend(rsyncs(rehearsal))
        os.kill(pids[0], signal.SIGKILL)

    with Wire(cluster, halfway(rehearsal), kill) as wire:
        pids.append(worker.begin(rehearsal.but(connection=wire.connection), "copy"))
        assert worker.end().killed
        assert orphans
        while rsyncs(rehearsal):  # they end by themselves; the test's time limit is the deadline
            time.sleep(0.01)
    assert rehearsal.published() == []
    check_resumes(rehearsal, cluster)


def test_a_source_that_disconnects_during_the_survey_is_transient(
    rehearsal: Rehearsal, cluster: SshServer
) -> None:
    """In the middle of its first answer."""
    for number in range(300):
        (rehearsal.folder / f"a rather long name of a file, of which there are many, number {number}").touch()
    with (
        Wire(cluster, lambda wire: wire.carried > 12_000, Wire.cut) as wire,
        pytest.raises(SourceUnreachableError),
    ):
        rehearsal.but(connection=wire.connection).do("copy")
    assert not DayArchive(rehearsal.vault).staged(DAY).folder.exists()


def _rewrite(path: Path) -> None:
    path.write_bytes(os.urandom(BIG))


def _rewrite_keeping_time(path: Path) -> None:
    before = path.stat()
    _rewrite(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _cut_short(path: Path) -> None:
    os.truncate(path, MB)


def _add(path: Path) -> None:
    path.with_name("new").write_bytes(b"new")


@pytest.mark.parametrize("change", [_rewrite, _rewrite_keeping_time, _grow, _cut_short, _add])
def test_a_day_that_changes_while_it_is_copied_isnt_published_before_it_settles(
    rehearsal: Rehearsal, cluster: SshServer, change: Callable[[Path], None]
) -> None:
    """Whether rsync, the hashes or the last survey finds it; the next try publishes the new state."""
    with Wire(cluster, halfway(rehearsal), lambda _: change(rehearsal.folder / "big")) as wire:
        with pytest.raises(NotSettledError, match=r"at the source during the copy|checksum mismatch"):
            rehearsal.but(connection=wire.connection).do("copy", "verify")
        with pytest.raises(DayNotVerifiedError):
            rehearsal.do("publish")
        assert rehearsal.published() == []
        rehearsal.do()
        assert rehearsal.published_names() == ["268"]
        assert {path.name for path in rehearsal.published()[0].folder.iterdir()} == {
            path.name for path in rehearsal.folder.iterdir() if path.is_file()
        }


def test_the_progress_of_a_copy_is_logged(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few seconds."""
    monkeypatch.setattr("include.remote.rsync.PROGRESS_EVERY_S", 0.0)
    rehearsal.do("copy")
    assert any(" % · " in line and line.endswith(" left") for line in rehearsal.log_lines)
