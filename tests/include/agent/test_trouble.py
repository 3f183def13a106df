"""Trouble on a host: killed processes, other users of libvirt, full disks, VMs that can't be started."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import Agent, stalled_begin, wait_until
from tests.include.agent.backup.test_begin import definition
from tests.site.kvm_host import KvmHost

ODD = "Nome com 'aspas' \"e\" ção & <x>, -y"


host_fault = agent_on_host.host_fault


def set_up(host: KvmHost) -> None:
    """One host with a VM that runs, and one that is off."""
    host.define_small("maq1", {"vda": "raw"})
    host.define_small("maq2", {"vda": "qcow2"})
    host.boot("maq1")


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host; after the test nothing is left, and the VMs are as they were."""
    before = {vm: definition(host, vm) for vm in ("maq1", "maq2")}
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    calls = Agent(host)
    yield calls
    host.cancel_fault()
    for vm in before:
        assert calls.end_backup(vm).status == 0
    for not_back in host.agents_folder.glob("vms/*/not-back.json"):
        not_back.unlink()
    wait_until(lambda: not calls.left_behind(), "nothing left")
    assert {vm: definition(host, vm) for vm in before} == before
    assert (host.state("maq1"), host.state("maq2")) == ("running", "shut off")


@contextmanager
def without_its_disk(host: KvmHost) -> Iterator[None]:
    """Take maq1's disk away during the block, so that the VM can't be started."""
    disk = host.disk("maq1", "vda")
    away = disk.rename(disk.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(disk)


def down(host: KvmHost, agent: Agent) -> None:
    """Kill all processes that could start maq1 again, at the moment when it is off."""
    host.plan_fault("off", "everybody")
    agent.begin_backup("maq1")
    assert host.fault_happened()
    assert host.state("maq1") == "shut off"


def test_after_all_processes_were_killed_end_backup_starts_the_vm(host: KvmHost, agent: Agent) -> None:
    """It finds the journal that the agent and its watchdog left."""
    down(host, agent)
    ended = agent.end_backup("maq1")
    assert (ended.status, ended.output["state"]) == (0, "running")
    assert "left down" in ended.output["repaired"][0]


@pytest.mark.slow
def test_after_all_processes_were_killed_the_next_run_starts_the_vm_first(
    host: KvmHost, agent: Agent
) -> None:
    """Only then it stops another VM."""
    down(host, agent)
    assert agent.begin_backup("maq2", run="next week").status == 0
    assert host.state("maq1") == "running"


@pytest.mark.slow
def test_while_a_vm_cant_be_started_no_other_is_stopped(host: KvmHost, agent: Agent) -> None:
    """The error names it, and ``--as-it-is``, after which the others can be backed up."""
    down(host, agent)
    with without_its_disk(host):
        refused = agent.begin_backup("maq2", run="next week")
        assert (refused.status, refused.output["error"]) == (11, "WithheldError")
        itself = agent.begin_backup("maq1", run="next week")
        assert (itself.status, itself.output["error"]) == (7, "NotBackError")
        assert "maq1 was running before" in refused.output["message"]
        assert "--as-it-is" in refused.output["message"]
        left = agent.end_backup("maq1", "--as-it-is")
        assert (left.status, left.output["state"]) == (0, "shut off")
        assert agent.begin_backup("maq2", run="next week").status == 0
    host.boot("maq1")


def test_a_start_that_fails_is_retried(host: KvmHost, agent: Agent) -> None:
    """Here the disk is away for a moment; the VM comes back, but isn't backed up."""
    with stalled_begin(host, agent, "off") as answers, without_its_disk(host):
        host.go_on()
        wait_until(lambda: "start-paused" in agent.journal("maq1"), "the start")
        time.sleep(1)  # libvirt fails at once
    assert "cannot access" in answers[0].output["message"].lower()
    assert (answers[0].status, answers[0].output["error"]) == (6, "BackupNotBegunError")
    assert host.state("maq1") == "running"


def test_the_watchdog_starts_a_vm_whose_agent_hangs(host: KvmHost, agent: Agent) -> None:
    """When the agent goes on, it finds the VM running."""
    with stalled_begin(host, agent, "off", watchdog_s=1) as answers:
        wait_until(lambda: host.state("maq1") == "running", "maq1, running")
    assert (answers[0].status, answers[0].output["error"]) == (6, "BackupNotBegunError")
    assert host.state("maq1") == "running"


def test_a_vm_that_was_started_while_its_disks_were_copied_isnt_backed_up(
    host: KvmHost, agent: Agent
) -> None:
    """Though it is off again; it comes back."""
    with stalled_begin(host, agent, "copy", method="copy") as answers:
        host.boot("maq1")
        host.virsh("destroy", "--domain=maq1")
    assert (answers[0].status, answers[0].output["error"]) == (6, "BackupNotBegunError")
    assert "while its disks were copied" in answers[0].output["message"]
    assert host.state("maq1") == "running"


@pytest.mark.slow
def test_a_vm_that_was_resumed_too_early_isnt_backed_up(host: KvmHost, agent: Agent) -> None:
    """Its disks may have changed since it was off."""
    with stalled_begin(host, agent, "backup-begin") as answers:
        host.virsh("resume", "--domain=maq1")
    assert (answers[0].status, answers[0].output["error"]) == (6, "BackupNotBegunError")
    assert host.state("maq1") == "running"


@pytest.mark.slow
def test_while_a_backup_is_begun_other_commands_are_refused_as_busy(host: KvmHost, agent: Agent) -> None:
    """To end it, or to begin another VM's."""
    with stalled_begin(host, agent, "off") as answers:
        assert agent.end_backup("maq1").status == 3
        assert agent.begin_backup("maq2").status == 3
        assert agent.begin_backup("maq2", run="another").status == 3
    assert answers[0].status == 0


@pytest.mark.slow
def test_a_backup_that_is_being_sent_isnt_ended_for_another(agent: Agent) -> None:
    """One that isn't being sent is."""
    assert agent.begin_backup("maq1").status == 0
    assert agent.begin_backup("maq1", run="another").status == 0
    assert "is of another, not of this week" in agent.send("maq1", "this week")["message"]
    reading = agent.reader("maq1", "another")
    assert agent.call("status").output["vms"][0]["sending"]
    refused = agent.begin_backup("maq2")
    reading.kill()
    reading.communicate()
    assert (refused.status, refused.output["error"]) == (3, "BusyError")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["destroy", "shutdown"])
def test_a_vm_that_an_administrator_stops_during_its_backup_stays_off(
    host: KvmHost, agent: Agent, command: str
) -> None:
    """The backup isn't open any more, and nothing is left."""
    assert agent.begin_backup("maq1").status == 0
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    host.virsh(command, "--domain=maq1")
    host.wait_for_state("maq1", "shut off")
    assert agent.send("maq1")["error"] == "NoOpenBackupError"
    ended = agent.end_backup("maq1")
    assert (ended.status, ended.output["state"]) == (0, "shut off")
    host.boot("maq1")


@pytest.mark.slow
def test_the_backup_of_a_vm_that_was_undefined_can_be_ended(host: KvmHost, agent: Agent) -> None:
    """Whether the VM was off, or was to be started again."""
    texts = {vm: definition(host, vm)[0] for vm in ("maq1", "maq2")}
    uuids = {vm: agent.uuid(vm) for vm in texts}
    assert agent.begin_backup("maq2", run="last week").status == 0
    host.virsh("undefine", "--domain=maq2")
    down(host, agent)
    host.virsh("undefine", "--domain=maq1")
    ended = agent.call("end-backup", uuids["maq1"])
    assert (ended.status, ended.output["state"]) == (0, "gone")
    assert "undefined" in ended.output["repaired"][0]
    assert agent.call("end-backup", uuids["maq2"]).status == 0
    assert not agent.left_behind()
    for vm, text in texts.items():
        (host.folder / f"{vm}.xml").write_text(text, encoding="utf-8")
        host.virsh("define", f"--file={host.folder}/{vm}.xml")
    host.boot("maq1")


@pytest.mark.slow
def test_a_vm_of_any_name_is_backed_up(host: KvmHost, agent: Agent) -> None:
    """The path of its disk isn't taken for an option, a protocol or a list."""
    host.define_small(ODD, {"vda": "qcow2"})
    host.boot(ODD)
    begun = agent.begin_backup(ODD)
    assert (begun.status, begun.output["vm"], host.state(ODD)) == (0, ODD, "running")
    assert agent.end_backup(ODD).output["vm"] == ODD
    host.virsh("destroy", f"--domain={ODD}")
    assert agent.begin_backup(ODD).output["method"] == "offline"
    assert agent.end_backup(ODD).status == 0


def test_a_vm_that_restarts_after_a_shutdown_isnt_shut_down(host: KvmHost, agent: Agent) -> None:
    """It would never be off."""
    action = ["set-lifecycle-action", "--domain=maq1", "--type=poweroff", "--config"]
    host.virsh(*action, "--action=restart")
    refused = agent.begin_backup("maq1")
    host.virsh(*action, "--action=destroy")
    assert (refused.status, agent.journal("maq1")) == (4, [])
    assert "on_poweroff=restart" in refused.output["message"]


@pytest.mark.usefixtures("agent")
def test_with_an_unwritable_state_folder_no_vm_is_stopped(host: KvmHost) -> None:
    """It is read-only, or full."""
    host.run("mkdir", "-p", "/run/readonly")
    host.run("mount", "-t", "tmpfs", "-o", "ro", "readonly", "/run/readonly")
    refused = Agent(host, "/run/readonly").begin_backup("maq1")
    assert refused.status == 1
    assert "Read-only file system" in refused.output["message"]
    host.run("mkdir", "-p", "/run/full")
    host.run("mount", "-t", "tmpfs", "-o", "size=8m", "full", "/run/full")
    refused = Agent(host, "/run/full").begin_backup("maq1")
    assert (refused.status, host.state("maq1")) == (4, "running")
    assert "is on a file system that is full" in refused.output["message"]


@pytest.mark.usefixtures("agent")
def test_a_vm_is_started_though_the_state_folder_is_full(host: KvmHost) -> None:
    """Neither a step nor the answer can be written any more."""
    host.run("mkdir", "-p", "/run/filling")
    host.run("mount", "-t", "tmpfs", "-o", "size=100m", "filling", "/run/filling")
    agent = Agent(host, "/run/filling")
    with stalled_begin(host, agent, "off") as answers:
        host.run("dd", "if=/dev/zero", "of=/run/filling/ballast", "bs=1M", check=False)
    assert answers[0].status in (6, 8)
    wait_until(lambda: host.state("maq1") == "running", "maq1, running")
    wait_until(lambda: not definition(host, "maq1")[1], "autostart as it was")
    host.run("rm", "/run/filling/ballast")
    assert agent.end_backup("maq1").status == 0
    assert host.run("sh", "-c", "ls -d /run/filling/x-* /run/filling/vms/*/watchdog.json || :") == ""


@pytest.mark.slow
def test_a_guest_doesnt_stay_paused_when_its_scratch_space_is_full(host: KvmHost, agent: Agent) -> None:
    """It goes on writing, and the receiver gets the reason why the backup was ended."""
    host.run("mkdir", "-p", "/run/scratch")
    host.run("mount", "-t", "tmpfs", "-o", "size=100m", "scratch", "/run/scratch")
    host.define("maq4", {"vda": "raw", "vdb": "raw"}, busy=True)
    host.boot("maq4")
    assert agent.begin_backup("maq4", scratch="/run/scratch", method="live").status == 0
    host.run("dd", "if=/dev/zero", "of=/run/scratch/ballast", "bs=1M", check=False)
    wait_until(lambda: "scratch-full" in agent.journal("maq4"), "the full scratch space is noticed")
    wait_until(lambda: host.state("maq4") == "running", "maq4, running")
    written = host.console("maq4").count("wrote")
    wait_until(lambda: host.console("maq4").count("wrote") > written + 2, "the guest goes on writing")
    assert "scratch space was full" in agent.send("maq4")["message"]
    assert agent.end_backup("maq4").status == 0
    assert host.state("maq4") == "running"
    host.virsh("destroy", "--domain=maq4")


@pytest.mark.slow
def test_the_next_backup_disarms_a_watchdog_that_a_reboot_left(host: KvmHost, agent: Agent) -> None:
    """Its VM starts with the host; then autostart is set as it was before."""
    host.define("maq3", {"vda": "raw"}, stubborn=True)
    host.boot("maq3")
    assert agent.begin_backup("maq3", shutdown_timeout_s=1).status == 5
    wait_until(lambda: not agent.journal("maq3"), "the watchdog is extended")
    host.reboot()
    wait_until(lambda: host.state("maq3") == "running", "maq3, running")
    assert definition(host, "maq3")[1]
    assert agent.begin_backup("maq2").status == 0
    assert not definition(host, "maq3")[1]
    host.virsh("destroy", "--domain=maq3")
    host.boot("maq1")
