"""A copy that is broken off goes on where it was, and a day that changes under it isn't published."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from include.errors import DayNotProvenError, NotSettledError, PassingError, SourceUnreachableError
from tests.include.days import DAY
from tests.include.rehearsal import Rehearsal
from tests.include.wire import Wire
from tests.include.worker import Worker
from tests.site.sshd import SshServer

MB = 1 << 20
BIG = 16 * MB  # more than all the buffers on the way
WRITTEN = 3 * MB


@pytest.fixture
def rehearsal(rehearsal: Rehearsal) -> Rehearsal:
    """A day of two files that can't be compressed: the larger comes first, and again at the end."""
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(big=os.urandom(BIG), zz=os.urandom(MB))
    return rehearsal


def halfway(rehearsal: Rehearsal) -> Callable[[Wire], bool]:
    """Give a test for the moment at which a part of the large file has arrived in staging."""
    arrived = rehearsal.vault.staged(DAY).data / "big"
    return lambda _: arrived.exists() and arrived.stat().st_size > WRITTEN


def rsyncs(rehearsal: Rehearsal) -> list[int]:
    """Find the rsyncs that write into the vault."""
    staged = os.fsencode(rehearsal.vault.staged(DAY).data)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"rsync" and staged + b"/" in words:
            found.append(int(process.name))
    return found


def goes_on(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """Do it again, and see that what had arrived doesn't cross the wire again, and that it's published."""
    with Wire(cluster) as wire:
        rehearsal.but(connection=wire.connection).do()
    assert wire.carried < BIG + MB - WRITTEN + 200_000
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()


def test_a_copy_whose_wire_was_cut_goes_on_where_it_was(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """And is nothing that could be published before."""
    kept = pytest.raises(SourceUnreachableError, match="What was copied is kept")
    with Wire(cluster, halfway(rehearsal), Wire.cut) as wire, kept:
        rehearsal.but(connection=wire.connection).do("copy")
    assert WRITTEN < (rehearsal.vault.staged(DAY).data / "big").stat().st_size < BIG
    assert rehearsal.published() == []
    goes_on(rehearsal, cluster)


def test_what_a_broken_copy_left_isnt_published(rehearsal: Rehearsal, cluster: SshServer) -> None:
    """It's removed when somebody tries."""
    with Wire(cluster, halfway(rehearsal), Wire.cut) as wire, pytest.raises(SourceUnreachableError):
        rehearsal.but(connection=wire.connection).do("copy")
    with pytest.raises(DayNotProvenError):
        rehearsal.do("publish")
    assert rehearsal.published() == []


def _kill_rsync(rehearsal: Rehearsal, number: signal.Signals) -> Callable[[Wire], None]:
    def kill(_: Wire) -> None:
        for pid in rsyncs(rehearsal):
            os.kill(pid, number)

    return kill


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_rsync_is_worth_another_try_which_goes_on(
    rehearsal: Rehearsal, cluster: SshServer, number: signal.Signals
) -> None:
    """Out of memory, or a person."""
    with (
        Wire(cluster, halfway(rehearsal), _kill_rsync(rehearsal, number)) as wire,
        pytest.raises(PassingError),
    ):
        rehearsal.but(connection=wire.connection).do("copy")
    goes_on(rehearsal, cluster)


def test_a_killed_worker_takes_its_rsync_with_it_and_the_next_goes_on(
    rehearsal: Rehearsal, cluster: SshServer, worker: Worker
) -> None:
    """No orphan goes on writing into a day that nobody holds."""
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
    goes_on(rehearsal, cluster)


def test_a_source_that_ends_while_it_is_asked_is_worth_another_try(
    rehearsal: Rehearsal, cluster: SshServer
) -> None:
    """In the middle of the agent's first answer."""
    for number in range(300):
        (rehearsal.folder / f"a rather long name of a file, of which there are many, number {number}").touch()
    with (
        Wire(cluster, lambda wire: wire.carried > 12_000, Wire.cut) as wire,
        pytest.raises(SourceUnreachableError),
    ):
        rehearsal.but(connection=wire.connection).do("copy")
    assert not rehearsal.vault.staged(DAY).folder.exists()


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
    """Whether rsync, the hashing or the last look notices; the next try publishes what is there then."""
    with Wire(cluster, halfway(rehearsal), lambda _: change(rehearsal.folder / "big")) as wire:
        with pytest.raises(NotSettledError, match=r"isn't settled|Files vanished at the source"):
            rehearsal.but(connection=wire.connection).do("copy", "prove")
        with pytest.raises(DayNotProvenError):
            rehearsal.do("publish")
        assert rehearsal.published() == []
        rehearsal.do()
        assert rehearsal.published_names() == ["268"]
        assert {path.name for path in rehearsal.published()[0].folder.iterdir()} == {
            path.name for path in rehearsal.folder.iterdir() if path.is_file()
        }


def test_progress_is_said_while_it_takes_long(rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few seconds, for whoever watches the task's log."""
    monkeypatch.setattr("include.transfer.PROGRESS_EVERY_S", 0.0)
    rehearsal.do("copy")
    assert any(" % · " in line and line.endswith(" left") for line in rehearsal.said)
