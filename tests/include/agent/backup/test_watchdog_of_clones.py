"""Clones that would fill their file system while a backup is open: who removes them, and whom that helps."""

import time
from pathlib import Path

import pytest

from include.agent.backup import cloned_disks, reference_timer, watchdog, watchdog_process
from include.agent.backup.watchdog_process import Watchdog
from include.agent.durable_files import write_json
from include.agent.errors import LibvirtError
from include.agent.state_folder import StateFolder, VmFolder, locked
from include.agent.virsh import TIMEOUT_S
from tests.include.agent.backup.test_watchdog import VIRSH, WATCHDOG, Suspended
from tests.include.agent.test_virsh import UUID

OTHER = "22222222-2222-3333-4444-555555555555"


@pytest.fixture
def state(short: Path) -> StateFolder:
    """A state folder."""
    made = StateFolder(str(short / "s"))
    made.make()
    return made


@pytest.fixture
def folder(state: StateFolder) -> VmFolder:
    """The folder of a VM with an armed watchdog and an open backup, whose disks are cloned."""
    vm = state.of(UUID)
    vm.make()
    write_json(vm.watchdog, WATCHDOG)
    vm.journal.write("begin", run="a run", vm="test", was="running", method="cold")
    clones = vm.new_clone_folder(state.root)
    vm.journal.write("clone_folders", clone_folders=[str(clones)])
    clones.mkdir()
    return vm


def ready(folder: VmFolder) -> None:
    """Write that the backup is open."""
    folder.journal.write("back")
    folder.journal.write("ready", work_folder="/gone", method="cold", cloned=True, exports=[])


def clones_of(folder: VmFolder) -> list[str]:
    """Return the folders for clones that exist."""
    return [path for path in folder.clone_folders() if Path(path).exists()]


def is_ended(folder: VmFolder) -> bool:
    """Return whether nothing is left of the backup."""
    return not (clones_of(folder) or folder.journal.open or folder.watchdog.exists())


class Full(Suspended):
    """VMs that QEMU pauses again at once, as long as there are clones."""

    def __init__(self, folder: VmFolder) -> None:
        super().__init__()
        self.folder, self.resumed = folder, set[str]()

    def uuids(self, *_flags: str) -> set[str]:
        """Return both VMs."""
        return {UUID, OTHER}

    def is_paused_on_io_error(self, uuid: str) -> bool:
        """Return whether it still is."""
        return uuid not in self.resumed

    def run(self, command: str, *options: str, timeout_s: float = TIMEOUT_S) -> str:
        """Resume a VM, or tell the state."""
        if command == "resume" and not clones_of(self.folder):
            self.resumed.add(options[0].partition("=")[2])
            return super().run(command, *options, timeout_s=timeout_s)
        return self.found


def test_clones_whose_watchdog_a_reboot_has_ended_are_removed(state: StateFolder, folder: VmFolder) -> None:
    """By the timer, and their backup is ended; not while somebody reads it, or its watchdog runs."""
    ready(folder)
    for lock in (folder.watchdog_lock, folder.send_lock, folder.lock):
        with locked(lock, timeout_s=0):
            reference_timer.check(state, VIRSH)
        assert clones_of(folder), lock
    reference_timer.check(state, VIRSH)
    assert is_ended(folder)


def test_a_vm_that_is_paused_because_its_clones_fill_the_disk_comes_back(folder: VmFolder) -> None:
    """Resuming it alone would be in vain."""
    virsh = Full(folder)
    with pytest.raises(LibvirtError):
        watchdog.bring_back(folder, virsh, timeout_s=0)
    assert watchdog.bring_back(folder, virsh, timeout_s=0) == "resumed"
    assert clones_of(folder) == []


def test_clones_dont_fill_the_disk_while_the_agent_waits_for_the_guest(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backup then fails with what to do."""
    process = Watchdog(state, folder, VIRSH, 600)
    with locked(folder.lock, timeout_s=0):
        process.check()
        assert clones_of(folder)
        monkeypatch.setattr(cloned_disks, "usable_bytes", lambda _: 0)
        process.check()
    assert clones_of(folder) == []


def test_clones_may_be_unread_for_longer_than_a_job(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large images are verified for hours, after which the clones become the reference."""
    ready(folder)
    process = Watchdog(state, folder, VIRSH, 600)
    monkeypatch.setattr(watchdog_process, "UNREAD_S", 0.0)
    time.sleep(0.01)
    process.check()
    assert clones_of(folder)
    monkeypatch.setattr(watchdog_process, "UNREAD_CLONES_S", 0.0)
    process.check()
    assert is_ended(folder)


def test_all_guests_are_resumed_once_there_is_space(
    state: StateFolder, folder: VmFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another VM may be on the same file system."""
    ready(folder)
    virsh = Full(folder)
    monkeypatch.setattr(cloned_disks, "usable_bytes", lambda _: 0)
    Watchdog(state, folder, virsh, 600).check()
    assert virsh.resumed == {UUID, OTHER}


def test_the_timer_doesnt_end_while_clones_may_be_made(state: StateFolder, folder: VmFolder) -> None:
    """It is started before them, and must outlive a reboot."""
    assert reference_timer._is_needed(state)  # noqa: SLF001 - what check asks
    folder.journal.close()
    assert not reference_timer._is_needed(state)  # noqa: SLF001
    with locked(folder.lock, timeout_s=0):
        assert reference_timer._is_needed(state)  # noqa: SLF001
