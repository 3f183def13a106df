"""The agent's folder: its locks end with their holders, its files are whole, its rooms are its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.agent.errors import BusyError, NotPossibleError, UsageError
from include.agent.folder import LONGEST_ROOM, MachineFolder, State, held, is_held, read_json, write_json
from tests.include.agent.test_journal import PROJECT, files_no_longer_than

UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
_HOLDER = """
import sys
from pathlib import Path
from include.agent.folder import held
with held(Path(sys.argv[1]), patience_s=0, shared=sys.argv[2] == "shared") as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(short: Path) -> MachineFolder:
    """A machine's folder, in a state folder of its own."""
    state = State(str(short / "s"))
    state.make()
    made = state.of(UUID)
    made.make()
    return made


@contextmanager
def holder(path: Path, how: str = "alone") -> Iterator["subprocess.Popen[str]"]:
    """Have another process hold a lock."""
    command = [sys.executable, "-c", _HOLDER, str(path), how]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_a_lock_ends_with_its_holder(folder: MachineFolder) -> None:
    """Also when that one is killed."""
    assert not folder.at_work()
    with holder(folder.lock) as process:
        assert folder.at_work()
        with held(folder.lock, patience_s=0) as mine:
            assert not mine
        process.kill()
        with held(folder.lock, patience_s=5) as mine:
            assert mine
    assert not folder.at_work()


def test_readers_share_their_lock_and_are_seen(folder: MachineFolder) -> None:
    """Disks that are read aren't given to somebody else."""
    assert not folder.served()
    with holder(folder.serving_lock, "shared") as first, holder(folder.serving_lock, "shared"):
        assert folder.served()
        first.kill()
        first.wait()
        assert folder.served()
    assert not folder.served()


def test_to_look_at_a_lock_disturbs_nobody(folder: MachineFolder) -> None:
    """Who looks for a holder doesn't become one."""
    with folder.lock.open("ab"):
        assert not is_held(folder.lock)
        with held(folder.lock, patience_s=0) as mine:
            assert mine


def test_only_one_decides_at_a_time(folder: MachineFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is told to come again."""
    monkeypatch.setattr("include.agent.folder.time.sleep", lambda _: None)
    state = State(str(folder.path.parents[1]))
    now = iter(range(0, 1000, 5))
    monkeypatch.setattr("include.agent.folder.time.monotonic", lambda: next(now))
    with holder(state.root / "host.lock"), pytest.raises(BusyError, match="Come again"), state.turn():
        pass


@pytest.mark.parametrize(
    "junk", ["", "maq1", "..", "-x", "a b;c", UUID.upper(), f"{UUID}\n", f"{UUID}/..", f"x{UUID}", UUID[:-1]]
)
def test_only_a_uuid_becomes_a_path(tmp_path: Path, junk: str) -> None:
    """Exactly as libvirt writes it."""
    with pytest.raises(UsageError, match="by its UUID"):
        State(str(tmp_path)).of(junk)


def test_folders_that_arent_machines_are_left_alone(folder: MachineFolder) -> None:
    """Whatever somebody put there."""
    (folder.path.parent / "lost+found").mkdir()
    assert [found.uuid for found in State(str(folder.path.parents[1])).folders()] == [UUID]
    assert State("/nowhere/at/all").folders() == []


def test_a_room_is_named_before_its_made_and_only_rooms_are_removed(
    folder: MachineFolder, short: Path
) -> None:
    """Others in the scratch folder have nothing to fear."""
    scratch = short / "scratch"
    (scratch / "vms").mkdir(parents=True)
    room = folder.new_room(str(scratch))
    assert not room.exists()
    folder.make_room(room)
    assert (room.parent, room.stat().st_mode & 0o777) == (scratch, 0o700)
    (room / "vda.scratch").write_text("x")
    assert folder.remove_room(str(room))
    assert not folder.remove_room(str(scratch / "vms"))
    link = scratch / room.name
    link.symlink_to(scratch / "vms")
    assert not folder.remove_room(str(link))
    assert (scratch / "vms").is_dir()


def test_rooms_are_found_with_and_without_a_journal(folder: MachineFolder, tmp_path: Path) -> None:
    """In the scratch folder by the journal, in the agent's own by their name."""
    folder.journal.write("room", room=str(tmp_path / "scratch" / "x"))
    lost = folder.new_room(None)
    folder.make_room(lost)
    assert folder.rooms() == sorted([str(tmp_path / "scratch" / "x"), str(lost)])


def test_a_room_whose_sockets_would_have_too_long_names_is_refused(folder: MachineFolder) -> None:
    """Before anything is stopped."""
    with pytest.raises(NotPossibleError, match="longer than the kernel takes"):
        folder.new_room("/" + "d" * LONGEST_ROOM)


def test_a_file_is_whole_or_as_it_was(folder: MachineFolder) -> None:
    """A full disk leaves no half of one, and no litter."""
    write_json(folder.lease, {"token": "old"})
    with files_no_longer_than(5), pytest.raises(OSError, match="large"):
        write_json(folder.lease, {"token": "new"})
    assert read_json(folder.lease) == {"token": "old"}
    assert [path.name for path in folder.path.iterdir()] == ["lease.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\0\0", b"\xff\xfe"])
def test_a_file_that_makes_no_sense_counts_as_none(folder: MachineFolder, content: bytes) -> None:
    """Nobody owes anything by it."""
    folder.lease.write_bytes(content)
    assert read_json(folder.lease) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="modes bind everybody but root")
def test_others_get_through_to_rooms_and_see_nothing(folder: MachineFolder) -> None:
    """QEMU's own user has to reach its socket."""
    modes = [path.stat().st_mode & 0o777 for path in (folder.path, *folder.path.parents[:2])]
    assert modes == [0o711] * 3
