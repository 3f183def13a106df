"""The lease and its watcher, with libvirt's test driver: one domain, which always runs and can't be imaged.

What they do to a real machine is in ``test_faults.py`` and ``test_trouble.py``.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.agent import lease
from include.agent.errors import LibvirtError, NotPossibleError
from include.agent.folder import MachineFolder, State, held, read_json, write_json
from include.agent.virsh import Virsh
from include.agent.watch import Watcher, watch
from include.machines.shipped import agent_file
from tests.include.agent.on_host import wait_until
from tests.include.agent.test_virsh import UUID

VIRSH = Virsh("test:///default")
AWAY = Virsh("qemu+unix:///system?socket=/nowhere")
LEASE = {"token": "mine", "run": "a run", "autostart": False, "lease_s": 600}


@pytest.fixture
def state(short: Path) -> State:
    """An agent's folder, with that machine's in it."""
    made = State(str(short))
    made.make()
    made.of(UUID).make()
    return made


@pytest.fixture
def folder(state: State) -> MachineFolder:
    """That machine's, with a lease."""
    machine = state.of(UUID)
    write_json(machine.lease, LEASE)
    return machine


def frozen(folder: MachineFolder) -> Path:
    """Write down what a freeze does; gives its room."""
    folder.journal.write("begin", run="a run", machine="test", was="running", method="copy")
    room = folder.new_room(None)
    folder.journal.write("room", room=str(room))
    folder.make_room(room)
    folder.journal.write("back")
    folder.journal.write("ready", room=str(room), method="copy", exports=[])
    return room


def is_released(folder: MachineFolder, room: Path) -> bool:
    """Tell whether nothing is left of a freeze."""
    return not (folder.journal.open or folder.lease.exists() or room.exists())


@contextmanager
def watching(state: State, uri: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a watcher's process, as it's shipped."""
    name, program = agent_file()
    (state.root / name).write_bytes(program)
    command = [sys.executable, str(state.root / name), f"--uri={uri}", f"--state={state.root}"]
    with subprocess.Popen([*command, "watch", UUID, "mine"]) as process:
        yield process
        process.kill()


def test_what_a_dead_freeze_left_is_put_right_at_once(state: State, folder: MachineFolder) -> None:
    """It isn't waited for the lease's end."""
    folder.journal.write("begin", run="a run", machine="test", was="running", method="cold")
    room = folder.new_room(None)
    folder.journal.write("room", room=str(room))
    folder.make_room(room)
    Watcher(state, folder, VIRSH, 600).look()
    assert is_released(folder, room)


def test_nothing_is_touched_while_somebody_is_at_work(state: State, folder: MachineFolder) -> None:
    """Nor when the lease is over, if the machine is back."""
    room = frozen(folder)
    with held(folder.lock, patience_s=0):
        Watcher(state, folder, VIRSH, -1).look()
    assert not is_released(folder, room)


def test_disks_that_nobody_reads_are_given_up(
    state: State, folder: MachineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wanted them is dead; but not while they are read, however long that takes."""
    room = frozen(folder)
    watcher = Watcher(state, folder, VIRSH, 600)
    watcher.look()
    monkeypatch.setattr("include.agent.watch.UNREAD_S", 0.2)
    with held(folder.serving_lock, patience_s=0, shared=True):
        time.sleep(0.3)
        watcher.look()
    assert not is_released(folder, room)
    time.sleep(0.3)
    watcher.look()
    assert is_released(folder, room)


def test_a_guest_that_may_go_down_late_is_guarded_until_the_lease_is_over(
    state: State, folder: MachineFolder
) -> None:
    """The journal is closed by then."""
    lease.outlive(folder)
    Watcher(state, folder, VIRSH, 600).look()
    assert lease.is_late(folder)
    Watcher(state, folder, VIRSH, -1).look()
    assert not folder.lease.exists()


def test_a_late_guest_without_a_watcher_is_owed_for_the_leases_time(folder: MachineFolder) -> None:
    """Not for ever: somebody may have switched it off weeks ago. A clock that jumps ends no watch."""
    write_json(folder.lease, {**LEASE, "late": time.time() + 60})
    assert lease.is_late(folder)
    write_json(folder.lease, {**LEASE, "late": time.time() - 60})
    assert not lease.is_late(folder)
    with held(folder.lease_lock, patience_s=0):
        assert lease.is_late(folder)


def test_a_lease_without_a_watcher_is_known_as_forgotten(folder: MachineFolder) -> None:
    """Whoever comes next ends it."""
    assert lease.is_forgotten(folder)
    with held(folder.lease_lock, patience_s=0):
        assert not lease.is_forgotten(folder)


def test_nothing_ends_the_watch_but_its_lease(state: State, folder: MachineFolder) -> None:
    """Here libvirt is away, and the journal makes no sense."""
    folder.journal.path.write_bytes(b'{"step": "ready", "at": 0}\n{"step": ["x"], "at": 0}\n')
    with watching(state, AWAY.uri) as process:
        wait_until(lambda: read_json(folder.lease).get("watched") == "mine", "that it watches")
        time.sleep(2 * lease.POLL_S)
        assert process.poll() is None
        assert folder.watched()
        folder.lease.unlink()
        assert process.wait(20) == 0


def test_a_watcher_of_another_lease_goes(state: State, folder: MachineFolder) -> None:
    """There is one for each, and the newest counts."""
    watch(state, VIRSH, UUID, "of last week")
    assert read_json(folder.lease) == LEASE


def test_without_a_watcher_nothing_is_stopped(
    state: State, folder: MachineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the agent's own file is gone, so that none comes up."""
    monkeypatch.setattr("sys.argv", ["/nowhere/agent.pyz"])
    monkeypatch.setattr(lease, "ARMED_S", 0.5)
    with pytest.raises(NotPossibleError, match="Nothing was stopped"):
        lease.arm(state, folder, VIRSH, "a run", 600)


def test_a_lease_that_is_armed_anew_knows_what_was_before_the_first(
    state: State, folder: MachineFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Autostart is the first one's doing by then."""
    write_json(folder.lease, {**LEASE, "autostart": True})
    name, program = agent_file()
    (state.root / name).write_bytes(program)
    monkeypatch.setattr("sys.argv", [str(state.root / name)])
    with held(folder.lock, patience_s=0):
        lease.arm(state, folder, VIRSH, "another run", 600)
        assert read_json(folder.lease)["autostart"]
        assert folder.watched()
        folder.lease.unlink()
    wait_until(lambda: not folder.watched(), "that the watcher goes")


def test_a_machine_that_cant_be_asked_isnt_back(folder: MachineFolder) -> None:
    """However short the patience."""
    folder.journal.write("begin", run="a run", machine="test", was="running", method="cold")
    assert lease.owed(folder)
    assert lease.bring_back(folder, VIRSH, patience_s=0) is None  # it runs
    with pytest.raises(LibvirtError):
        lease.bring_back(folder, AWAY, patience_s=0)
