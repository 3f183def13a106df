"""Freezing: down for seconds, or not at all, and whatever fails, the machine does what it did before."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.include.agent.on_host import LIFE_SIGNS, REQUEST, Agent, wait_until
from tests.site.kvm_host import STATE, KvmHost

pytestmark = pytest.mark.xdist_group("kvm")

COLD = [
    *("begin", "lease", "autostart", "room", "rehearse", "shutdown", "off"),
    *("start-paused", "backup-begin", "resume", "prove", "back", "ready"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """One host with a machine that obeys, one that is off, and a deaf one."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as running:
        running.define("maq1", {"vda": "raw", "vdb": "qcow2"})
        running.define("maq2", {"vda": "qcow2"})
        running.define("maq3", {"vda": "raw"}, stubborn=True)
        running.boot("maq1")
        running.boot("maq3")
        yield running


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent there; afterwards everything is released, and nothing is left."""
    calls = Agent(host)
    yield calls
    for machine in ("maq1", "maq2", "maq3"):
        released = calls.release(machine)
        assert released.status == 0, released
    (calls.host.agents_folder / "not-back.json").unlink(missing_ok=True)
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")


def definition(host: KvmHost, machine: str) -> tuple[str, bool]:
    """Give a machine's definition, and whether it starts with its host."""
    autostarts = host.virsh("domuuid", f"--domain={machine}") in host.virsh(
        "list", "--all", "--uuid", "--autostart"
    )
    return host.virsh("dumpxml", f"--domain={machine}", "--inactive", "--security-info"), autostarts


def exported(host: KvmHost, disk: str, to: Path) -> bytes:
    """Read a frozen disk with a tool that isn't ours."""
    (room,) = host.agents_folder.glob("x-*")
    socket = f"{STATE}/{room.name}/" + ("nbd.sock" if (room / "nbd.sock").exists() else f"{disk}.sock")
    host.run("qemu-img", "convert", "-O", "raw", f"nbd+unix:///{disk}?socket={socket}", str(to))
    return to.read_bytes()


def test_a_running_machine_is_down_for_seconds_and_its_disks_are_held(
    host: KvmHost, agent: Agent, tmp_path: Path
) -> None:
    """They stay as they were when it was off, while it boots and writes."""
    before = definition(host, "maq1")
    frozen = agent.freeze("maq1")
    assert (frozen.status, frozen.steps) == (0, COLD)
    assert host.state("maq1") == "running"
    assert [room.stat().st_mode & 0o777 for room in host.agents_folder.glob("x-*")] == [0o700]
    assert frozen.said["stopped"] == "by itself"
    assert 0 < frozen.said["downtime_s"] < 10
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    held = exported(host, "vda", tmp_path / "vda")
    now = host.disk("maq1", "vda").read_bytes()
    assert len(held) == len(now)
    assert held != now
    boots = subprocess.run(
        ["debugfs", "-R", "cat /boots", str(tmp_path / "vda")], capture_output=True, check=True
    )
    assert f"boot {int(boots.stdout) + 1}" in host.console("maq1")
    assert definition(host, "maq1") == (before[0], True)  # a reboot of the host now is no end to it
    agent.release("maq1")
    assert definition(host, "maq1") == before


def test_a_freeze_asked_for_again_is_the_same_freeze(host: KvmHost, agent: Agent) -> None:
    """A worker that lost its answer doesn't stop the machine a second time."""
    first, second = agent.freeze("maq1"), agent.freeze("maq1")
    assert first.said == second.said
    assert host.state("maq1") == "running"


def test_only_one_machine_of_a_host_is_imaged_at_a_time(agent: Agent) -> None:
    """The second hears that it isn't its turn yet."""
    agent.freeze("maq1")
    refused = agent.freeze("maq2")
    assert (refused.status, refused.said["error"]) == (3, "BusyError")
    assert "maq1" in refused.said["message"]


def test_two_machines_asked_for_at_once_take_turns(agent: Agent) -> None:
    """Whoever comes second leaves what the first one holds alone, however soon he comes."""
    for run in ("once", "twice", "thrice"):
        asking = {
            machine: agent.begin("freeze", agent.uuid(machine), request={**REQUEST, "run": run})
            for machine in ("maq2", "maq1")
        }
        came = {machine: (one.communicate(), one.returncode)[1] for machine, one in asking.items()}
        assert sorted(came.values()) == [0, 3]
        [first] = [machine for machine, status in came.items() if status == 0]
        assert agent.journal(first)[-1] == "ready"
        agent.release(first)


def test_a_machine_that_is_off_stays_off(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """Its disk is served as the guest would see it."""
    frozen = agent.freeze("maq2")
    assert (frozen.status, frozen.said["method"], frozen.said["was"]) == (0, "offline", "off")
    host.run("qemu-img", "convert", "-U", "-O", "raw", str(host.disk("maq2", "vda")), str(tmp_path / "now"))
    assert exported(host, "vda", tmp_path / "held") == (tmp_path / "now").read_bytes()
    agent.release("maq2")
    assert host.state("maq2") == "shut off"


def test_a_machine_is_imaged_without_a_stop_where_that_is_wanted(host: KvmHost, agent: Agent) -> None:
    """Without a guest agent its file systems are as after a power cut, and that is said."""
    boots = host.console("maq1")
    frozen = agent.freeze("maq1", method="live")
    assert (frozen.status, frozen.said["downtime_s"], frozen.said["stopped"]) == (0, 0, "not stopped")
    assert "power cut" in frozen.said["warnings"][0]
    assert host.console("maq1").startswith(boots)


def test_disks_can_be_copied_while_the_machine_is_off(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """For hosts whose libvirt can't do better."""
    frozen = agent.freeze("maq1", method="copy")
    assert (frozen.status, frozen.said["method"]) == (0, "copy")
    assert host.state("maq1") == "running"
    assert len(exported(host, "vdb", tmp_path / "vdb")) == 64 << 20


def test_a_guest_that_ignores_the_shutdown_is_left_running_and_guarded(host: KvmHost, agent: Agent) -> None:
    """Should it go down late, the host starts it again, although the run has long released it."""
    refused = agent.freeze("maq3", shutdown_timeout_s=1)
    assert (refused.status, refused.said["error"]) == (5, "StillRunningError")
    for _ in range(2):  # to release it again makes nobody forget it
        assert "guarding" in str(agent.release("maq3").said["repaired"])
    host.virsh("destroy", "--domain=maq3")  # late, and when nobody of the run is there any more
    wait_until(lambda: host.state("maq3") == "running", "maq3, started again")
    wait_until(lambda: not definition(host, "maq3")[1], "autostart as it was")


def test_a_guest_that_ignores_the_shutdown_can_be_switched_off(host: KvmHost, agent: Agent) -> None:
    """Only where the site file says so, and it's told."""
    frozen = agent.freeze("maq3", shutdown_timeout_s=1, on_timeout="destroy")
    assert (frozen.status, frozen.said["stopped"]) == (0, "destroyed")
    assert "switched off" in frozen.said["warnings"][0]
    assert host.state("maq3") == "running"


def test_a_machine_that_shows_no_sign_of_life_is_the_loudest_alarm(agent: Agent) -> None:
    """And no further machine of its host is stopped in that run."""
    deaf = {**LIFE_SIGNS, "address": "127.0.0.1", "ports": [1], "timeout_s": 1}
    alarm = agent.freeze("maq1", proof=deaf)
    assert (alarm.status, alarm.said["error"]) == (7, "NotBackError")
    assert "TCP port 1" in alarm.said["message"]
    assert agent.release("maq1").status == 0
    refused = agent.freeze("maq3")
    assert (refused.status, refused.said["error"]) == (4, "NotPossibleError")
    assert "maq1 didn't come back" in refused.said["message"]
    assert agent.freeze("maq2", run="next week").status == 0


def test_a_port_that_answered_before_must_answer_after(host: KvmHost, agent: Agent) -> None:
    """The stand-in's own SSH port takes the part of the machine's."""
    ports = {**LIFE_SIGNS, "address": "127.0.0.1", "ports": [host.ssh.port, 1], "same_ports": True}
    frozen = agent.freeze("maq1", proof=ports)
    assert f"port {host.ssh.port} answers" in frozen.said["proof"]


def test_ports_without_an_address_stop_nothing(agent: Agent) -> None:
    """Nobody could tell whether it is back."""
    refused = agent.freeze("maq1", proof={**LIFE_SIGNS, "ports": [22]})
    assert (refused.status, agent.journal("maq1")) == (4, [])
    assert "address" in refused.said["message"]


def test_a_host_without_room_for_scratch_stops_nothing(host: KvmHost, agent: Agent) -> None:
    """Before the first shutdown; it says where, and how much."""
    host.run("mkdir", "-p", "/run/small")
    host.run("mount", "-t", "tmpfs", "-o", "size=1m", "small", "/run/small")
    refused = agent.freeze("maq1", scratch="/run/small")
    assert refused.status == 4
    assert "/run/small has 0.00 GB free" in refused.said["message"]


def test_a_host_that_cant_hold_the_disks_stops_nothing(host: KvmHost, agent: Agent) -> None:
    """It's tried before the stop: here the scratch folder is one that QEMU can't write to."""
    boots = host.console("maq1")
    host.run("mkdir", "-p", "/run/full")
    host.run("mount", "-t", "tmpfs", "-o", "nr_inodes=4,size=200m", "full", "/run/full")
    refused = agent.freeze("maq1", scratch="/run/full")
    assert (refused.status, refused.said["error"]) == (4, "NotPossibleError")
    assert "backup-begin" in refused.said["message"]
    assert host.console("maq1") == boots


def test_backup_begin_that_fails_after_the_stop_keeps_nobody_down(host: KvmHost, agent: Agent) -> None:
    """First it's resumed, then complained: here something has come into the scratch file's place."""
    host.plan_fault("start-paused", "stall")
    asking = agent.begin("freeze", agent.uuid("maq1"), request=REQUEST)
    wait_until(host.fault_sprung, "the machine, off")
    (room,) = host.agents_folder.glob("x-*")
    (room / "vda.scratch").mkdir()
    host.go_on()
    said, _ = asking.communicate()
    refused = json.loads(said)
    assert (asking.returncode, refused["error"]) == (6, "NotFrozenError")
    assert "backup-begin" in refused["message"]
    assert host.state("maq1") == "running"


def test_a_paused_machine_is_left_alone(host: KvmHost, agent: Agent) -> None:
    """Somebody has paused it for a reason."""
    host.virsh("suspend", "--domain=maq3")
    refused = agent.freeze("maq3")
    host.virsh("resume", "--domain=maq3")
    assert refused.status == 4
    assert "paused" in refused.said["message"]


def test_a_name_is_no_uuid(agent: Agent) -> None:
    """What becomes a path or reaches virsh is checked."""
    for name in ("maq1", "..", "-x", "a b;rm -rf"):
        refused = agent.call("release", "--", name)
        assert (refused.status, refused.said["error"]) == (2, "UsageError")


def test_a_request_that_lacks_something_does_nothing(agent: Agent) -> None:
    """It says what."""
    refused = agent.call("freeze", agent.uuid("maq1"), request={"run": "x"})
    assert refused.status == 2
    assert "method" in refused.said["message"]
