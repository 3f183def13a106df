"""The backup of a VM that is off: it can be started at any time, and that costs the image."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import Agent, wait_until
from tests.site.kvm_host import KvmHost


def set_up(host: KvmHost) -> None:
    """One host with a VM that is off, with a disk of each format."""
    host.define_small("maq2", {"vda": "raw", "vdb": "qcow2"})


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host."""
    return agent_on_host.host_fault(host, ())


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host; after the test the VM is off, and its backup ended."""
    calls = Agent(host)
    yield calls
    host.run("virsh", "destroy", "--domain=maq2", check=False)
    assert calls.end_backup("maq2").status == 0


@contextmanager
def saved(host: KvmHost) -> Iterator[None]:
    """Have the VM off with saved memory during the block."""
    host.boot("maq2")
    host.virsh("managedsave", "--domain=maq2")
    try:
        yield
    finally:
        host.virsh("managedsave-remove", "--domain=maq2")


def exports_run(agent: Agent) -> bool:
    """Return whether a process exports disks."""
    return any("qemu-nbd" in line for line in agent.left_behind())


def test_a_vm_can_be_started_while_its_disks_are_read(host: KvmHost, agent: Agent) -> None:
    """The start wins: the export ends, and the receiver gets the reason. The VM keeps running."""
    assert agent.begin_backup("maq2").status == 0
    reading = agent.reader("maq2")
    host.boot("maq2")
    wait_until(lambda: not exports_run(agent), "the end of the export")
    reading.kill()
    reading.communicate()
    refused = agent.send("maq2")
    assert (refused["error"], refused["status"]) == ("DisksChangedError", 12)
    assert "maq2 was started while its disks were read" in refused["message"]
    assert agent.end_backup("maq2").output["state"] == "running"


@pytest.mark.slow
def test_a_start_that_has_ended_again_costs_the_image(host: KvmHost, agent: Agent) -> None:
    """Whether anybody saw it run or not."""
    assert agent.begin_backup("maq2").status == 0
    host.boot("maq2")
    host.virsh("destroy", "--domain=maq2")
    assert agent.send("maq2")["error"] == "DisksChangedError"
    assert agent.begin_backup("maq2", run="next week").status == 0
    assert "disks" in agent.send("maq2", "next week")


@pytest.mark.slow
def test_a_write_by_another_program_costs_the_image(host: KvmHost, agent: Agent) -> None:
    """Libvirt knows nothing of it."""
    assert agent.begin_backup("maq2").status == 0
    host.run("qemu-io", "-f", "qcow2", "-c", "write -P 1 0 64k", str(host.disk("maq2", "vdb")))
    refused = agent.send("maq2")
    assert refused["error"] == "DisksChangedError"
    assert f"vdb ({host.disk('maq2', 'vdb')}) of maq2 was written to" in refused["message"]
    wait_until(lambda: not exports_run(agent), "the end of the export")


def test_a_vm_that_is_started_before_its_disks_are_exported_isnt_imaged_as_off(
    host: KvmHost, agent: Agent
) -> None:
    """It keeps running."""
    host.plan_fault("export", "stall")
    process = agent.start_begin_backup("maq2")
    wait_until(host.fault_happened, "the step")
    host.boot("maq2")
    host.go_on()
    assert process.wait(60) == 12
    assert host.state("maq2") == "running"
    wait_until(lambda: not agent.left_behind(), "nothing left")


@pytest.mark.slow
def test_a_vm_with_saved_memory_is_backed_up_only_if_the_request_allows_it(
    host: KvmHost, agent: Agent
) -> None:
    """Its memory isn't in the image, and a warning says so. The saved memory stays as it is."""
    with saved(host):
        refused = agent.begin_backup("maq2")
        assert (refused.status, refused.output["error"]) == (4, "NotPossibleError")
        assert "off with saved memory" in refused.output["message"]
        begun = agent.begin_backup("maq2", managed_save="disks_only")
        assert (begun.status, begun.output["stopped"]) == (0, "saved")
        assert "isn't in the image" in begun.output["warnings"][0]
        assert agent.end_backup("maq2").status == 0
        assert host.virsh("list", "--all", "--name", "--with-managed-save") == "maq2"
    assert agent.begin_backup("maq2").output["stopped"] == "not stopped"
