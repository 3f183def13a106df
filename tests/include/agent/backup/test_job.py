"""A backup that is refused as busy costs the host nothing; ``test_faults.py`` begins real ones."""

import time
from pathlib import Path
from typing import Any

import pytest

from include.agent.backup.job import begin_or_join
from include.agent.durable_files import write_json
from include.agent.errors import BusyError
from include.agent.state_folder import StateFolder, VmFolder, locked
from tests.include.agent.agent_on_host import REQUEST

VM, OTHER = (f"6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f000{vm}" for vm in (1, 2))
RUN = REQUEST["run"]


class Virsh:
    """A libvirt that has two VMs."""

    def uuids(self) -> list[str]:
        """Return their UUIDs."""
        return [VM, OTHER]


@pytest.fixture
def other(tmp_path: Path) -> VmFolder:
    """The folder of another VM of the host."""
    folder = StateFolder(str(tmp_path)).of(OTHER)
    folder.make()
    return folder


def refused_after_s(tmp_path: Path) -> float:
    """Check that a VM's backup is refused as busy, and return how long that took."""
    virsh: Any = Virsh()
    began = time.monotonic()
    with pytest.raises(BusyError, match="One VM of a host is backed up at a time"):
        begin_or_join(StateFolder(str(tmp_path)), virsh, VM, REQUEST)
    return time.monotonic() - began


def test_while_the_run_begins_another_vm_a_call_is_refused_at_once(tmp_path: Path, other: VmFolder) -> None:
    """It doesn't keep the host locked, even when the other's journal doesn't name its run yet."""
    write_json(other.request, {**REQUEST, "job": "1"})
    with locked(other.lock, timeout_s=0):
        assert refused_after_s(tmp_path) < 1


def test_while_the_run_has_an_open_backup_a_call_is_refused_at_once(tmp_path: Path, other: VmFolder) -> None:
    """Its image is being transferred, or waits for that."""
    other.journal.write("begin", run=RUN, vm="maq2")
    with locked(other.lock, timeout_s=0):
        assert refused_after_s(tmp_path) < 1


def test_a_vm_of_the_run_that_its_watchdog_only_looks_at_is_waited_for(
    tmp_path: Path, other: VmFolder
) -> None:
    """Its backup has failed and was ended: the watchdog locks it for moments, in case it shuts down late."""
    write_json(other.request, {**REQUEST, "job": "1"})
    write_json(other.result, {"job": "1", "run": RUN, "status": 5})
    with locked(other.lock, timeout_s=0):
        assert 1 < refused_after_s(tmp_path) < 5


def test_what_the_watchdog_of_a_dead_run_locks_for_a_moment_is_waited_for(
    tmp_path: Path, other: VmFolder
) -> None:
    """Only what stays locked is busy."""
    other.journal.write("begin", run="last week", vm="maq2")
    with locked(other.lock, timeout_s=0):
        assert 1 < refused_after_s(tmp_path) < 5
