"""Begin a backup: the VM is down for seconds or not at all; whatever fails, it is as it was before."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import HEALTH_CHECK, REQUEST, Agent, wait_until
from tests.site import boot_sector
from tests.site.kvm_host import STATE, KvmHost

COLD = [
    *("begin", "watchdog", "autostart", "work_folder", "rehearse", "shutdown", "off"),
    *("start-paused", "backup-begin", "resume", "verify", "back", "ready"),
]


def set_up(host: KvmHost) -> None:
    """One host with a running VM, one that is off, and one that ignores its power button."""
    host.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
    host.define_small("maq2", {"vda": "qcow2"})
    host.define_small("maq3", {"vda": "raw"}, stubborn=True)
    host.boot("maq1")
    host.boot("maq3")


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host."""
    return agent_on_host.host_fault(host, ("maq1", "maq3"))


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host; after the test all backups are ended."""
    yield (calls := Agent(host))
    for vm in filter(calls.journal, ("maq1", "maq2", "maq3")):
        ended = calls.end_backup(vm)
        assert ended.status == 0, ended
    for not_back in host.agents_folder.glob("vms/*/not-back.json"):
        not_back.unlink()
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")


def definition(host: KvmHost, vm: str) -> tuple[str, bool]:
    """Return a VM's definition, and whether it starts with its host."""
    autostarts = host.virsh("domuuid", f"--domain={vm}") in host.virsh(
        "list", "--all", "--uuid", "--autostart"
    )
    return host.virsh("dumpxml", f"--domain={vm}", "--inactive", "--security-info"), autostarts


def exported(host: KvmHost, disk: str, to: Path) -> bytes:
    """Read an exported disk with another tool."""
    (work,) = host.agents_folder.glob("x-*")
    socket = f"{STATE}/{work.name}/" + ("nbd.sock" if (work / "nbd.sock").exists() else f"{disk}.sock")
    host.run("qemu-img", "convert", "-O", "raw", f"nbd+unix:///{disk}?socket={socket}", str(to))
    return to.read_bytes()


def test_a_running_vm_is_down_for_seconds_and_its_disks_are_exported_as_they_were(
    host: KvmHost, agent: Agent, tmp_path: Path
) -> None:
    """The export stays as it was when the VM was off, while the VM boots and writes."""
    before = definition(host, "maq1")
    begun = agent.begin_backup("maq1")
    assert (begun.status, begun.steps) == (0, COLD)
    assert host.state("maq1") == "running"
    assert [work.stat().st_mode & 0o777 for work in host.agents_folder.glob("x-*")] == [0o700]
    assert begun.output["stopped"] == "by itself"
    assert 0 < begun.output["downtime_s"] < 10
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    backup = exported(host, "vda", tmp_path / "vda")
    now = host.disk("maq1", "vda").read_bytes()
    assert len(backup) == len(now)
    assert backup != now
    assert host.boots("maq1") == boot_sector.boots(backup) + 1
    assert definition(host, "maq1") == (before[0], True)  # so that the VM runs after a reboot of the host
    agent.end_backup("maq1")
    assert definition(host, "maq1") == before


@pytest.mark.slow
def test_a_second_call_of_a_run_finds_its_open_backup(host: KvmHost, agent: Agent) -> None:
    """A retry after a lost answer doesn't stop the VM again."""
    first, second = (agent.begin_backup("maq1").output for _ in range(2))
    assert first.pop("clock") < second.pop("clock")  # each answer has its own, in ISO 8601
    assert first == second
    assert host.state("maq1") == "running"


@pytest.mark.slow
def test_only_one_vm_of_a_host_is_backed_up_at_a_time(agent: Agent) -> None:
    """The second is refused as busy."""
    agent.begin_backup("maq1")
    refused = agent.begin_backup("maq2")
    assert (refused.status, refused.output["error"]) == (3, "BusyError")
    assert "maq1" in refused.output["message"]


@pytest.mark.slow
def test_of_two_simultaneous_calls_one_is_refused_as_busy(agent: Agent) -> None:
    """It doesn't end the backup of the other."""
    for run in ("once", "twice", "thrice"):
        processes = {
            vm: agent.begin("begin-backup", agent.uuid(vm), request={**REQUEST, "run": run})
            for vm in ("maq2", "maq1")
        }
        statuses = {vm: (process.communicate(), process.returncode)[1] for vm, process in processes.items()}
        assert sorted(statuses.values()) == [0, 3]
        [first] = [vm for vm, status in statuses.items() if status == 0]
        assert agent.journal(first)[-1] == "ready"
        agent.end_backup(first)


@pytest.mark.slow
def test_a_vm_that_a_restart_would_change_isnt_stopped(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """It would lose a network card that only the running VM has. The site file can allow that."""
    host.define_small("maq4", {"vda": "raw"})
    host.boot("maq4")
    card = tmp_path / "card.xml"
    card.write_text("<interface type='user'><mac address='52:54:00:00:00:01'/></interface>", encoding="ascii")
    host.virsh("attach-device", "--domain=maq4", f"--file={card}", "--live")
    refused = agent.begin_backup("maq4")
    assert (refused.status, refused.output["error"]) == (4, "NotPossibleError")
    change = "interface 52:54:00:00:00:01 is only in the running VM"
    assert f"maq4 wasn't stopped. A restart would change it: {change}" in refused.output["message"]
    assert agent.begin_backup("maq4", method="live").output["warnings"][1:] == []  # it isn't stopped
    agent.end_backup("maq4")
    assert "52:54:00:00:00:01" in host.virsh("dumpxml", "--domain=maq4")
    allowed = agent.begin_backup("maq4", restart_changes="allow")
    assert (allowed.status, allowed.output["warnings"]) == (0, [f"Its restart changed it: {change}."])
    agent.end_backup("maq4")
    assert "52:54:00:00:00:01" not in host.virsh("dumpxml", "--domain=maq4")
    host.virsh("destroy", "--domain=maq4")
    host.virsh("undefine", "--domain=maq4")


def test_a_vm_that_is_off_stays_off(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """Its disk is exported as the guest would see it."""
    begun = agent.begin_backup("maq2")
    assert (begun.status, begun.output["method"], begun.output["was"]) == (0, "offline", "off")
    host.run("qemu-img", "convert", "-U", "-O", "raw", str(host.disk("maq2", "vda")), str(tmp_path / "now"))
    assert exported(host, "vda", tmp_path / "backup") == (tmp_path / "now").read_bytes()
    agent.end_backup("maq2")
    assert host.state("maq2") == "shut off"


def test_with_the_method_live_a_vm_isnt_stopped(host: KvmHost, agent: Agent) -> None:
    """Without a guest agent, a warning says that the backup is only crash-consistent."""
    boots = host.boots("maq1")
    begun = agent.begin_backup("maq1", method="live")
    assert (begun.status, begun.output["downtime_s"], begun.output["stopped"]) == (0, 0, "not stopped")
    assert "crash-consistent" in begun.output["warnings"][0]
    assert host.boots("maq1") == boots


def test_with_the_method_copy_disks_are_copied_while_the_vm_is_off(
    host: KvmHost, agent: Agent, tmp_path: Path
) -> None:
    """It is for libvirts without ``backup-begin``."""
    begun = agent.begin_backup("maq1", method="copy")
    assert (begun.status, begun.output["method"]) == (0, "copy")
    assert host.state("maq1") == "running"
    assert len(exported(host, "vdb", tmp_path / "vdb")) == 64 << 20


@pytest.mark.slow
def test_a_guest_that_shuts_down_late_is_started_again(host: KvmHost, agent: Agent) -> None:
    """It ignored its power button and was left running; its watchdog outlives the end of the backup."""
    refused = agent.begin_backup("maq3", shutdown_timeout_s=1)
    assert (refused.status, refused.output["error"]) == (5, "StillRunningError")
    for _ in range(2):  # a second end-backup doesn't disarm the watchdog
        assert "its watchdog keeps running" in str(agent.end_backup("maq3").output["repaired"])
    host.virsh("destroy", "--domain=maq3")  # late, after the run has ended
    wait_until(lambda: host.state("maq3") == "running", "maq3, started again")
    wait_until(lambda: not definition(host, "maq3")[1], "autostart as it was")


@pytest.mark.slow
def test_a_guest_that_ignores_the_shutdown_can_be_switched_off(host: KvmHost, agent: Agent) -> None:
    """Only if the request says so; a warning reports it."""
    begun = agent.begin_backup("maq3", shutdown_timeout_s=1, on_timeout="destroy")
    assert (begun.status, begun.output["stopped"]) == (0, "destroyed")
    assert "switched off" in begun.output["warnings"][0]
    assert host.state("maq3") == "running"


@pytest.mark.slow
def test_a_vm_that_fails_its_health_check_stops_the_run_on_that_host(agent: Agent) -> None:
    """No other VM of the host is stopped in that run."""
    silent = {**HEALTH_CHECK, "address": "127.0.0.1", "ports": [1], "timeout_s": 1}
    alarm = agent.begin_backup("maq1", health_check=silent)
    assert (alarm.status, alarm.output["error"]) == (7, "NotBackError")
    assert "TCP port 1" in alarm.output["message"]
    assert agent.end_backup("maq1").status == 0
    refused = agent.begin_backup("maq3")
    assert (refused.status, refused.output["error"]) == (11, "WithheldError")
    assert "maq1 didn't come back" in refused.output["message"]
    assert "TCP port 1" in refused.output["message"]
    assert agent.begin_backup("maq2", run="next week").status == 0


@pytest.mark.slow
def test_once_a_vm_is_seen_to_be_back_its_run_goes_on(agent: Agent) -> None:
    """With the health check that it had failed, and not before."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    late = {**HEALTH_CHECK, "address": "127.0.0.1", "ports": [port], "timeout_s": 1}
    assert agent.begin_backup("maq1", health_check=late).status == 7
    assert agent.end_backup("maq1").status == 0
    assert agent.begin_backup("maq2").status == 11
    assert agent.begin_backup("maq1").status == 7
    with socket.create_server(("127.0.0.1", port)):
        assert agent.begin_backup("maq2").status == 0
    agent.end_backup("maq2")
    assert agent.begin_backup("maq2").status == 0


@pytest.mark.slow
def test_a_vm_that_is_left_as_it_is_doesnt_withhold_others(agent: Agent) -> None:
    """Somebody has looked at it, and decided that."""
    silent = {**HEALTH_CHECK, "address": "127.0.0.1", "ports": [1], "timeout_s": 1}
    assert agent.begin_backup("maq1", health_check=silent).status == 7
    assert agent.begin_backup("maq2").status == 11
    assert agent.end_backup("maq1", "--as-it-is").status == 0
    assert agent.begin_backup("maq2").status == 0


@pytest.mark.slow
def test_a_port_that_answered_before_must_answer_after(host: KvmHost, agent: Agent) -> None:
    """The port of the stand-in host's SSH server is used as the VM's."""
    ports = {**HEALTH_CHECK, "address": "127.0.0.1", "ports": [host.ssh.port, 1], "same_ports": True}
    begun = agent.begin_backup("maq1", health_check=ports)
    assert f"port {host.ssh.port} answers" in begun.output["health_check"]


@pytest.mark.slow
def test_ports_without_an_address_are_refused(agent: Agent) -> None:
    """They couldn't be checked. The VM isn't stopped."""
    refused = agent.begin_backup("maq1", health_check={**HEALTH_CHECK, "ports": [22]})
    assert (refused.status, agent.journal("maq1")) == (4, [])
    assert "address" in refused.output["message"]


def test_without_enough_scratch_space_a_vm_isnt_stopped(host: KvmHost, agent: Agent) -> None:
    """The error says where, and how much is needed."""
    host.run("mkdir", "-p", "/run/small")
    host.run("mount", "-t", "tmpfs", "-o", "size=1m", "small", "/run/small")
    refused = agent.begin_backup("maq1", scratch="/run/small")
    assert refused.status == 4
    assert "/run/small has 0.00 GB free" in refused.output["message"]


def test_a_vm_isnt_stopped_if_the_rehearsal_fails(host: KvmHost, agent: Agent) -> None:
    """Here QEMU can't make its files in the scratch folder."""
    boots = host.boots("maq1")
    host.run("mkdir", "-p", "/run/full")
    host.run("mount", "-t", "tmpfs", "-o", "nr_inodes=4,size=200m", "full", "/run/full")
    refused = agent.begin_backup("maq1", scratch="/run/full")
    assert (refused.status, refused.output["error"]) == (4, "NotPossibleError")
    assert "backup-begin" in refused.output["message"]
    assert host.boots("maq1") == boots


def test_a_vm_is_resumed_if_backup_begin_fails_after_the_stop(host: KvmHost, agent: Agent) -> None:
    """Only then the error is raised. Here a folder is in the place of the scratch file."""
    host.plan_fault("start-paused", "stall")
    process = agent.begin("begin-backup", agent.uuid("maq1"), request=REQUEST)
    wait_until(host.fault_happened, "the VM, off")
    (work,) = host.agents_folder.glob("x-*")
    (work / "vda.scratch").mkdir()
    host.go_on()
    output, _ = process.communicate()
    refused = json.loads(output)
    assert (process.returncode, refused["error"]) == (6, "BackupNotBegunError")
    assert "backup-begin" in refused["message"]
    assert host.state("maq1") == "running"


def test_a_paused_vm_is_left_alone(host: KvmHost, agent: Agent) -> None:
    """An administrator had a reason to pause it."""
    host.virsh("suspend", "--domain=maq3")
    refused = agent.begin_backup("maq3")
    host.virsh("resume", "--domain=maq3")
    assert refused.status == 4
    assert "paused" in refused.output["message"]


def test_a_vm_must_be_named_by_its_uuid(agent: Agent) -> None:
    """The UUID becomes a path and an argument of virsh."""
    for name in ("maq1", "..", "-x", "a b;rm -rf"):
        refused = agent.call("end-backup", "--", name)
        assert (refused.status, refused.output["error"]) == (2, "UsageError")
