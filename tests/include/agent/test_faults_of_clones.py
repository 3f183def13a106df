"""A fault at any step that a backup has only where its disks are cloned: no clone is left, either.

``make test`` runs three of them; see ``test_faults.py`` for the others.
"""

from collections.abc import Iterator

import pytest

from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import Agent, host_clones
from tests.include.agent.fault_matrix import FAULTS, Way, comes_back, matrix
from tests.session.needs import program
from tests.site.kvm_host import KvmHost

WAYS = {
    "cold": Way(
        "cold",
        "maq1",
        ["clone_folders", "off", "clone", "start", "sync", "ready"],
        cloned=True,
    ),
    "live": Way(
        "live",
        "maq2",
        ["clone_folders", "fsfreeze", "suspend", "clone", "resume", "resumed", "thaw", "thawed", "sync"],
        cloned=True,
        faults=(*FAULTS, "everybody"),
    ),
    "offline": Way("offline", "maq3", ["clone_folders", "clone", "sync", "ready"], cloned=True),
}
CRITICAL = ("clone", "suspend", "resume")
"""The VM is down or suspended."""


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host; a VM that is off since a reboot isn't."""
    return agent_on_host.host_fault(host, running=())


def set_up(host: KvmHost) -> None:
    """One host with a VM that runs, one with a guest agent, and one that is off; their disks on an XFS."""
    program("mkfs.xfs")
    host.mount_disks("xfs")
    host.define_small("maq1", {"vda": "raw", "vdb": "raw"})
    host.define("maq2", {"vda": "raw", "vdb": "raw"}, agent=True)
    host.define_small("maq3", {"vda": "raw", "vdb": "raw"})


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host, whose faults are cancelled; after the test, no clone is left."""
    calls = Agent(host)
    yield calls
    host.cancel_fault()
    assert host_clones(host) == []


@pytest.mark.parametrize(("way", "step", "fault"), list(matrix(WAYS, CRITICAL)))
def test_a_vm_comes_back_after_a_fault(host: KvmHost, agent: Agent, way: str, step: str, fault: str) -> None:
    """Before the watchdog expires it is as it was, nothing is left behind, and the next run succeeds."""
    comes_back(host, agent, WAYS[way], step, fault)
