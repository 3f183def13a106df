"""A fault at any step of a backup: the VM runs again by itself, and the next run succeeds.

``make test`` runs each critical step once, with the faults in turn; ``make test-all`` every fault at each of
them; ``make endurance`` every fault at every step. Steps that all ways share are those of ``cold``.
``test_faults_of_clones.py`` has the backups whose disks are cloned.
"""

from collections.abc import Iterator

import pytest

from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import Agent
from tests.include.agent.backup.test_begin import COLD
from tests.include.agent.fault_matrix import FAULTS, Way, comes_back, matrix
from tests.site.kvm_host import KvmHost

WAYS = {
    "cold": Way("cold", "maq1", COLD),
    "live": Way("live", "maq3", ["fsfreeze", "backup-begin", "thaw", "thawed", "ready"]),
    "copy": Way("copy", "maq1", ["copy", "start"]),
    "offline": Way("offline", "maq2", ["work_folder", "export", "ready"]),
}
CRITICAL = ("shutdown", "off", "start-paused", "resume", "thaw", "copy", "export")
"""The VM is down or frozen, or its disks are read."""


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host; a VM that is off since a reboot isn't."""
    return agent_on_host.host_fault(host, running=())


def set_up(host: KvmHost) -> None:
    """One host with a VM that runs, one that is off, and one that has a guest agent."""
    host.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
    host.define_small("maq2", {"vda": "qcow2"})
    host.define("maq3", {"vda": "raw", "vdb": "qcow2"}, agent=True)


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host."""
    calls = Agent(host)
    yield calls
    host.cancel_fault()


def test_make_test_runs_each_critical_step_and_each_fault() -> None:
    """Only other combinations are left to ``make test-all``."""
    chosen = [combination.values for combination in matrix(WAYS, CRITICAL) if not combination.marks]
    assert [step for _, step, _ in chosen] == list(CRITICAL)
    assert {fault for _, _, fault in chosen} == set(FAULTS)


@pytest.mark.parametrize(("way", "step", "fault"), list(matrix(WAYS, CRITICAL)))
def test_a_vm_comes_back_after_a_fault(host: KvmHost, agent: Agent, way: str, step: str, fault: str) -> None:
    """Before the watchdog expires it is as it was, nothing is left behind, and the next run succeeds."""
    comes_back(host, agent, WAYS[way], step, fault)
