"""The restart watchdog, with libvirt's test driver: one domain, which always runs and can't be backed up.

Its tests with a real VM are in ``test_faults.py`` and ``test_trouble.py``.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.agent.backup import watchdog
from include.agent.backup.end import end_backup
from include.agent.backup.watchdog_process import Watchdog, watch
from include.agent.durable_files import write_json
from include.agent.errors import LibvirtError, NotBackError, NotPossibleError
from include.agent.state_folder import StateFolder, VmFolder, locked, read_json
from include.agent.virsh import TIMEOUT_S, Virsh
from include.remote import zipapps
from tests.include.agent.agent_on_host import wait_until
from tests.include.agent.test_virsh import NOWHERE, UUID

VIRSH = Virsh("test:///default")
AWAY = Virsh("qemu+unix:///system?socket=/nowhere")
WATCHDOG = {"token": "mine", "run": "a run", "autostart": False, "watchdog_s": 600}


class WithOpenBackup(Virsh):
    """The test driver, and a backup job with its socket in a work folder."""

    def __init__(self, work_folder: Path) -> None:
        super().__init__("test:///default")
        self._socket = work_folder / "nbd.sock"
        self.aborted = False

    def run(self, command: str, *options: str, timeout_s: float = TIMEOUT_S) -> str:
        """Show or abort the job."""
        if command == "domjobabort":
            self.aborted = True
            return ""
        if command == "backup-dumpxml" and not self.aborted:
            return f"<domainbackup><server transport='unix' socket='{self._socket}'/></domainbackup>"
        return super().run(command, *options, timeout_s=timeout_s)


class Suspended(Virsh):
    """A VM that is suspended until it is resumed."""

    def __init__(self) -> None:
        super().__init__("none")
        self.found = "paused"

    def run(self, command: str, *_options: str, timeout_s: float = TIMEOUT_S) -> str:
        """Tell its state, or resume it."""
        del timeout_s
        if command == "resume":
            self.found = "running"
        return self.found


@pytest.fixture
def state(short: Path) -> StateFolder:
    """A state folder with a folder for that VM."""
    made = StateFolder(str(short))
    made.make()
    made.of(UUID).make()
    return made


@pytest.fixture
def folder(state: StateFolder) -> VmFolder:
    """The VM's folder, with an armed watchdog."""
    vm = state.of(UUID)
    write_json(vm.watchdog, WATCHDOG)
    return vm


def open_backup(folder: VmFolder, method: str = "copy", **ready: object) -> Path:
    """Write the journal of an open backup, and return its work folder."""
    folder.journal.write("begin", run="a run", vm="test", was="running", method=method)
    work = folder.new_work_folder(None)
    folder.journal.write("work_folder", work_folder=str(work))
    folder.make_work_folder(work)
    folder.journal.write("back")
    folder.journal.write("ready", work_folder=str(work), method=method, exports=[], **ready)
    return work


def is_ended(folder: VmFolder, work: Path) -> bool:
    """Return whether nothing is left of a backup."""
    return not (folder.journal.open or folder.watchdog.exists() or work.exists())


@contextmanager
def watching(state: StateFolder, uri: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the watchdog's process from the zip as it is shipped."""
    name, program = zipapps.agent()
    (state.root / name).write_bytes(program)
    command = [sys.executable, str(state.root / name), f"--uri={uri}", f"--state={state.root}"]
    with subprocess.Popen([*command, "watch", UUID, "mine"]) as process:
        yield process
        process.kill()


def test_the_backup_of_a_dead_agent_is_ended_at_once(state: StateFolder, folder: VmFolder) -> None:
    """Before the watchdog expires."""
    folder.journal.write("begin", run="a run", vm="test", was="running", method="cold")
    work = folder.new_work_folder(None)
    folder.journal.write("work_folder", work_folder=str(work))
    folder.make_work_folder(work)
    Watchdog(state, folder, VIRSH, 600).check()
    assert is_ended(folder, work)


def test_the_backup_of_a_guest_that_may_be_frozen_stays_open(state: StateFolder, folder: VmFolder) -> None:
    """Its agent doesn't confirm that it is thawed. The watchdog tries again; others may end the backup."""
    folder.journal.write("begin", run="a run", vm="test", was="running", method="live")
    folder.journal.write("fsfreeze")
    process = Watchdog(state, folder, VIRSH, 600)
    for _ in range(2):
        with pytest.raises(LibvirtError, match="may still be frozen, so its writes may hang"):
            process.check()
    assert folder.journal.open
    assert not folder.is_busy()


@pytest.mark.parametrize("who", ["watchdog", "end-backup"])
def test_the_scratch_files_of_a_guest_that_may_be_frozen_dont_grow(
    state: StateFolder, folder: VmFolder, who: str
) -> None:
    """It may run and write although nobody sees that: its backup job is ended, and its journal stays open."""
    folder.journal.write("begin", run="a run", vm="test", was="running", method="live")
    work = folder.new_work_folder(None)
    folder.journal.write("work_folder", work_folder=str(work))
    folder.journal.write("fsfreeze")
    libvirt = WithOpenBackup(work)
    ends: dict[str, Callable[[], object]] = {
        "watchdog": Watchdog(state, folder, libvirt, 600).check,
        "end-backup": lambda: end_backup(state, libvirt, UUID, None, back_s=0),
    }
    with pytest.raises((LibvirtError, NotBackError)):
        ends[who]()
    assert libvirt.aborted
    assert folder.journal.open


def test_the_backup_of_a_guest_that_was_undefined_is_ended(state: StateFolder) -> None:
    """Whether it was frozen doesn't matter any more."""
    folder = state.of(NOWHERE)
    folder.make()
    write_json(folder.watchdog, WATCHDOG)
    folder.journal.write("begin", run="a run", vm="test", was="running", method="live")
    folder.journal.write("fsfreeze")
    Watchdog(state, folder, VIRSH, 600).check()
    assert not folder.journal.open


def test_nothing_is_touched_while_the_agent_works(state: StateFolder, folder: VmFolder) -> None:
    """Not even after the watchdog has expired, if the VM runs."""
    work = open_backup(folder)
    with locked(folder.lock, timeout_s=0):
        Watchdog(state, folder, VIRSH, -1).check()
    assert not is_ended(folder, work)


def test_a_vm_is_resumed_though_its_agent_hangs(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the watchdog expires, which is as long as a shutdown may take."""
    folder.journal.write("begin", run="a run", vm="test", was="running", method="live")
    folder.journal.write("suspend")
    vm = Suspended()
    process = Watchdog(state, folder, vm, 600)
    with locked(folder.lock, timeout_s=0):
        process.check()
        assert vm.found == "paused"
        monkeypatch.setattr(watchdog, "UNDO_S", 0.0)
        process.check()
    assert vm.found == "running"


def test_a_frozen_guest_that_somebody_paused_isnt_resumed_and_not_forgotten(folder: VmFolder) -> None:
    """It must still be thawed, once they have resumed it."""
    folder.journal.write("begin", run="a run", vm="test", was="running", method="live")
    folder.journal.write("fsfreeze")
    folder.journal.write(watchdog.LEFT_PAUSED)
    assert watchdog.must_run(folder)
    vm = Suspended()
    with pytest.raises(LibvirtError, match="may still be frozen"):
        watchdog.bring_back(folder, vm, 0)
    assert vm.found == "paused"
    folder.journal.write("thawed")
    assert not watchdog.must_run(folder)


def test_a_suspension_whose_answer_was_lost_may_still_come(folder: VmFolder) -> None:
    """As a shutdown: libvirt may have it in its queue."""
    folder.journal.write("suspend")
    assert watchdog.may_still_go_down(folder)
    folder.journal.write("resumed")
    assert not watchdog.may_still_go_down(folder)


def test_a_backup_that_nobody_reads_is_ended(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not while it is read, however long that takes."""
    work = open_backup(folder)
    process = Watchdog(state, folder, VIRSH, 600)
    process.check()
    monkeypatch.setattr("include.agent.backup.watchdog_process.UNREAD_S", 0.2)
    with locked(folder.send_lock, timeout_s=0, shared=True):
        time.sleep(0.3)
        process.check()
    assert not is_ended(folder, work)
    time.sleep(0.3)
    process.check()
    assert is_ended(folder, work)


def test_the_export_of_a_vm_that_was_off_ends_once_it_runs(state: StateFolder, folder: VmFolder) -> None:
    """The reason stays in the journal, also once the VM is off again; the VM is left alone."""
    work = open_backup(folder, "offline", fingerprints=[{"disk": "vda", "chain": ["/a"], "fingerprint": []}])
    for _ in range(2):
        Watchdog(state, folder, VIRSH, 600).check()
    changes = [entry for entry in folder.journal.entries() if entry["step"] == "disks-changed"]
    assert ["test was started while its disks were read" in one["reason"] for one in changes] == [True]
    assert not is_ended(folder, work)


def test_the_scratch_space_is_watched_on_each_turn(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest fills it faster than libvirt is asked; and that it was full is written once."""
    work = open_backup(folder)
    folder.journal.write("ready", work_folder=str(work), method="live", exports=[])
    process = Watchdog(state, folder, VIRSH, 600)
    for usable, noticed in ((1, 0), (0, 1), (0, 1)):
        monkeypatch.setattr("include.agent.backup.watchdog_process.usable_bytes", lambda _, left=usable: left)
        process.check()
        assert [entry["step"] for entry in folder.journal.entries()].count("scratch-full") == noticed


def test_a_guest_that_may_shut_down_late_is_watched_until_the_watchdog_expires(
    state: StateFolder, folder: VmFolder
) -> None:
    """The journal is closed by then."""
    watchdog.extend(folder)
    Watchdog(state, folder, VIRSH, 600).check()
    assert watchdog.awaits_late_shutdown(folder)
    Watchdog(state, folder, VIRSH, -1).check()
    assert not folder.watchdog.exists()


def test_an_extended_watchdog_without_its_process_expires(folder: VmFolder) -> None:
    """An administrator may have switched the VM off weeks ago. With its process, the clock doesn't matter."""
    write_json(folder.watchdog, {**WATCHDOG, "late": time.time() + 60})
    assert watchdog.awaits_late_shutdown(folder)
    write_json(folder.watchdog, {**WATCHDOG, "late": time.time() - 60})
    assert not watchdog.awaits_late_shutdown(folder)
    with locked(folder.watchdog_lock, timeout_s=0):
        assert watchdog.awaits_late_shutdown(folder)


def test_a_watchdog_without_its_process_is_orphaned(folder: VmFolder) -> None:
    """The next backup disarms it."""
    assert watchdog.is_orphaned(folder)
    with locked(folder.watchdog_lock, timeout_s=0):
        assert not watchdog.is_orphaned(folder)


def test_the_process_ends_only_when_its_watchdog_is_disarmed(state: StateFolder, folder: VmFolder) -> None:
    """Here libvirt is unreachable, and the journal damaged."""
    folder.journal.path.write_bytes(b'{"step": "ready", "at": 0}\n{"step": ["x"], "at": 0}\n')
    with watching(state, AWAY.uri) as process:
        wait_until(lambda: read_json(folder.watchdog).get("watched") == "mine", "the process watches")
        time.sleep(2 * watchdog.POLL_S)
        assert process.poll() is None
        assert folder.is_watched()
        folder.watchdog.unlink()
        assert process.wait(20) == 0


def test_the_process_of_a_replaced_watchdog_ends(state: StateFolder, folder: VmFolder) -> None:
    """Only the newest watchdog of a VM counts."""
    watch(state, VIRSH, UUID, "of last week")
    assert read_json(folder.watchdog) == WATCHDOG


def test_without_a_watchdog_no_vm_is_stopped(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the agent's file is gone, so that the process can't start."""
    monkeypatch.setattr("sys.argv", ["/nowhere/agent.pyz"])
    monkeypatch.setattr(watchdog, "ARMED_S", 0.5)
    with pytest.raises(NotPossibleError, match="Nothing was stopped"):
        watchdog.arm(state, folder, VIRSH, "a run", 600)


def test_a_watchdog_that_is_armed_again_keeps_the_original_autostart(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then, the first one has changed it."""
    write_json(folder.watchdog, {**WATCHDOG, "autostart": True})
    name, program = zipapps.agent()
    (state.root / name).write_bytes(program)
    monkeypatch.setattr("sys.argv", [str(state.root / name)])
    with locked(folder.lock, timeout_s=0):
        watchdog.arm(state, folder, VIRSH, "another run", 600)
        assert read_json(folder.watchdog)["autostart"]
        assert folder.is_watched()
        folder.watchdog.unlink()
    wait_until(lambda: not folder.is_watched(), "the process ends")


def test_a_vm_doesnt_count_as_running_while_libvirt_is_unreachable(folder: VmFolder) -> None:
    """Not even with a timeout of 0."""
    folder.journal.write("begin", run="a run", vm="test", was="running", method="cold")
    assert watchdog.must_run(folder)
    assert watchdog.bring_back(folder, VIRSH, timeout_s=0) is None  # it runs
    with pytest.raises(LibvirtError):
        watchdog.bring_back(folder, AWAY, timeout_s=0)
