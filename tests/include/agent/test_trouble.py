"""What else goes wrong on a host: others at work there, full disks, machines that don't start or are gone."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.include.agent.on_host import Agent, Answer, wait_until
from tests.include.agent.test_freeze import definition
from tests.site.kvm_host import KvmHost

pytestmark = pytest.mark.xdist_group("kvm")

ODD = "Nome com 'aspas' \"e\" ção & <x>, -y"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """One host with a machine that runs, and one that is off."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as running:
        running.define_small("maq1", {"vda": "raw"})
        running.define_small("maq2", {"vda": "qcow2"})
        running.boot("maq1")
        yield running


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent there; afterwards nothing is left, and the machines are as they were."""
    before = {machine: definition(host, machine) for machine in ("maq1", "maq2")}
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    calls = Agent(host)
    yield calls
    host.forget_fault()
    for machine in before:
        assert calls.release(machine).status == 0
    (host.agents_folder / "not-back.json").unlink(missing_ok=True)
    wait_until(lambda: not calls.left_behind(), "nothing left")
    assert {machine: definition(host, machine) for machine in before} == before
    assert (host.state("maq1"), host.state("maq2")) == ("running", "shut off")


@contextmanager
def stalled(host: KvmHost, agent: Agent, step: str, **changed: object) -> Iterator[list[Answer]]:
    """Have a freeze of maq1 hold still at a step while something is done; then its answer is there."""
    host.plan_fault(step, "stall")
    asking, answers = agent.begin_freeze("maq1", **changed), list[Answer]()
    wait_until(host.fault_sprung, "the step")
    yield answers
    host.go_on()
    said, errors = asking.communicate(timeout=120)
    answers.append(Answer(asking.returncode, json.loads(said or "{}"), errors))


@contextmanager
def without_its_disk(host: KvmHost) -> Iterator[None]:
    """Have maq1's disk away, so that it can't be started."""
    disk = host.disk("maq1", "vda")
    away = disk.rename(disk.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(disk)


def down(host: KvmHost, agent: Agent) -> None:
    """Have everybody killed who could start maq1 again, just when it's off."""
    host.plan_fault("off", "everybody")
    agent.freeze("maq1")
    assert host.fault_sprung()
    assert host.state("maq1") == "shut off"


def test_with_everybody_killed_the_next_to_ask_brings_it_back(host: KvmHost, agent: Agent) -> None:
    """Agent, watcher and asker: whoever tries the task again, or releases, finds the journal."""
    down(host, agent)
    released = agent.release("maq1")
    assert (released.status, released.said["state"]) == (0, "running")
    assert "left down" in released.said["repaired"][0]


def test_with_everybody_killed_another_machine_isnt_stopped_before(host: KvmHost, agent: Agent) -> None:
    """A run of the next week brings back what this one left."""
    down(host, agent)
    assert agent.freeze("maq2", run="next week").status == 0
    assert host.state("maq1") == "running"


def test_a_machine_that_cant_be_started_keeps_the_others_up(host: KvmHost, agent: Agent) -> None:
    """It's said which one it is; who wants it off says so, and then the others have their turn."""
    down(host, agent)
    with without_its_disk(host):
        refused = agent.freeze("maq2", run="next week")
        assert (refused.status, refused.said["error"]) == (4, "NotPossibleError")
        assert "maq1 ran before" in refused.said["message"]
        assert "--as-it-is" in refused.said["message"]
        left = agent.release("maq1", "--as-it-is")
        assert (left.status, left.said["state"]) == (0, "shut off")
        assert agent.freeze("maq2", run="next week").status == 0
    host.boot("maq1")


def test_a_start_that_fails_is_tried_again(host: KvmHost, agent: Agent) -> None:
    """Here its disk is away for a moment; the machine comes back, and isn't imaged."""
    with stalled(host, agent, "off") as answers, without_its_disk(host):
        host.go_on()
        wait_until(lambda: "start-paused" in agent.journal("maq1"), "the start")
        time.sleep(1)  # libvirt says no at once
    assert "cannot access" in answers[0].said["message"].lower()
    assert (answers[0].status, answers[0].said["error"]) == (6, "NotFrozenError")
    assert host.state("maq1") == "running"


def test_an_agent_that_hangs_doesnt_keep_it_down(host: KvmHost, agent: Agent) -> None:
    """When the lease is over, the host starts it; the agent, should it go on, finds it running."""
    with stalled(host, agent, "off", lease_s=1) as answers:
        wait_until(lambda: host.state("maq1") == "running", "maq1, running")
    assert (answers[0].status, answers[0].said["error"]) == (6, "NotFrozenError")
    assert host.state("maq1") == "running"


def test_somebody_who_lets_it_go_on_spoils_the_image_and_nothing_else(host: KvmHost, agent: Agent) -> None:
    """Its disks aren't held as they were when it was off."""
    with stalled(host, agent, "backup-begin") as answers:
        host.virsh("resume", "--domain=maq1")
    assert (answers[0].status, answers[0].said["error"]) == (6, "NotFrozenError")
    assert host.state("maq1") == "running"


def test_nobody_is_released_in_the_middle(host: KvmHost, agent: Agent) -> None:
    """Who asks for it is told to come again; so is who wants to freeze another machine."""
    with stalled(host, agent, "off") as answers:
        assert agent.release("maq1").status == 3
        assert agent.freeze("maq2").status == 3
        assert agent.freeze("maq2", run="another").status == 3
    assert answers[0].status == 0


def test_a_run_that_reads_isnt_robbed_and_one_that_doesnt_is_told(agent: Agent) -> None:
    """Two runs at once: the later one has to wait for as long as the first one reads."""
    assert agent.freeze("maq1").status == 0
    assert agent.freeze("maq1", run="another").status == 0
    assert "is of another, not of this week" in agent.serve("maq1", "this week")["message"]
    reading = agent.reader("maq1", "another")
    assert agent.call("status").said["machines"][0]["read_now"]
    refused = agent.freeze("maq2")
    reading.kill()
    reading.communicate()
    assert (refused.status, refused.said["error"]) == (3, "BusyError")


@pytest.mark.parametrize("how", ["destroy", "shutdown"])
def test_a_machine_that_somebody_stops_while_its_imaged_stays_off(
    host: KvmHost, agent: Agent, how: str
) -> None:
    """That's his to decide; who reads the disks is told, and nothing is left."""
    assert agent.freeze("maq1").status == 0
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    host.virsh(how, "--domain=maq1")
    host.wait_for_state("maq1", "shut off")
    assert agent.serve("maq1")["error"] == "NothingFrozen"
    released = agent.release("maq1")
    assert (released.status, released.said["state"]) == (0, "shut off")
    host.boot("maq1")


def test_a_machine_that_is_undefined_meanwhile_blocks_nobody(host: KvmHost, agent: Agent) -> None:
    """One that was off, and one that was to be started again."""
    texts = {machine: definition(host, machine)[0] for machine in ("maq1", "maq2")}
    uuids = {machine: agent.uuid(machine) for machine in texts}
    assert agent.freeze("maq2", run="last week").status == 0
    host.virsh("undefine", "--domain=maq2")
    down(host, agent)
    host.virsh("undefine", "--domain=maq1")
    released = agent.call("release", uuids["maq1"])
    assert (released.status, released.said["state"]) == (0, "gone")
    assert "undefined" in released.said["repaired"][0]
    assert agent.call("release", uuids["maq2"]).status == 0
    assert not agent.left_behind()
    for machine, text in texts.items():
        (host.folder / f"{machine}.xml").write_text(text, encoding="utf-8")
        host.virsh("define", f"--file={host.folder}/{machine}.xml")
    host.boot("maq1")


def test_a_machine_of_any_name_is_imaged(host: KvmHost, agent: Agent) -> None:
    """It's asked for by its UUID, and its disk's name is no option, protocol or list."""
    host.define_small(ODD, {"vda": "qcow2"})
    host.boot(ODD)
    frozen = agent.freeze(ODD)
    assert (frozen.status, frozen.said["machine"], host.state(ODD)) == (0, ODD, "running")
    assert agent.release(ODD).said["machine"] == ODD
    host.virsh("destroy", f"--domain={ODD}")
    assert agent.freeze(ODD).said["method"] == "offline"
    assert agent.release(ODD).status == 0


def test_a_machine_that_starts_again_by_itself_isnt_shut_down(host: KvmHost, agent: Agent) -> None:
    """A shutdown would be a restart, again and again."""
    action = ["set-lifecycle-action", "--domain=maq1", "--type=poweroff", "--config"]
    host.virsh(*action, "--action=restart")
    refused = agent.freeze("maq1")
    host.virsh(*action, "--action=destroy")
    assert (refused.status, agent.journal("maq1")) == (4, [])
    assert "on_poweroff=restart" in refused.said["message"]


@pytest.mark.usefixtures("agent")
def test_a_state_folder_that_cant_be_written_stops_nothing(host: KvmHost) -> None:
    """It's said what is wrong with it."""
    host.run("mkdir", "-p", "/run/frozen")
    host.run("mount", "-t", "tmpfs", "-o", "ro", "frozen", "/run/frozen")
    refused = Agent(host, "/run/frozen").freeze("maq1")
    assert refused.status == 1
    assert "Read-only file system" in refused.said["message"]
    host.run("mkdir", "-p", "/run/full")
    host.run("mount", "-t", "tmpfs", "-o", "size=8m", "full", "/run/full")
    refused = Agent(host, "/run/full").freeze("maq1")
    assert (refused.status, host.state("maq1")) == (4, "running")
    assert "is on a file system that is full" in refused.said["message"]


@pytest.mark.usefixtures("agent")
def test_a_disk_that_fills_up_while_its_down_keeps_nobody_down(host: KvmHost) -> None:
    """No step can be written down any more, nor the answer: the machine runs, and that comes first."""
    host.run("mkdir", "-p", "/run/filling")
    host.run("mount", "-t", "tmpfs", "-o", "size=100m", "filling", "/run/filling")
    there = Agent(host, "/run/filling")
    with stalled(host, there, "off") as answers:
        host.run("dd", "if=/dev/zero", "of=/run/filling/ballast", "bs=1M", check=False)
    assert answers[0].status in (6, 8)
    wait_until(lambda: host.state("maq1") == "running", "maq1, running")
    wait_until(lambda: not definition(host, "maq1")[1], "autostart as it was")
    host.run("rm", "/run/filling/ballast")
    assert there.release("maq1").status == 0
    assert host.run("sh", "-c", "ls -d /run/filling/x-* /run/filling/machines/*/lease.json || :") == ""


def test_a_guest_doesnt_stay_halted_when_its_scratch_is_full(host: KvmHost, agent: Agent) -> None:
    """It goes on writing, and whoever reads its disks is told why they are gone."""
    host.run("mkdir", "-p", "/run/scratch")
    host.run("mount", "-t", "tmpfs", "-o", "size=100m", "scratch", "/run/scratch")
    host.define("maq4", {"vda": "raw", "vdb": "raw"}, busy=True)
    host.boot("maq4")
    assert agent.freeze("maq4", scratch="/run/scratch", method="live").status == 0
    host.run("dd", "if=/dev/zero", "of=/run/scratch/ballast", "bs=1M", check=False)
    wait_until(lambda: "scratch-full" in agent.journal("maq4"), "that it's seen")
    wait_until(lambda: host.state("maq4") == "running", "maq4, running")
    written = host.console("maq4").count("wrote")
    wait_until(lambda: host.console("maq4").count("wrote") > written + 2, "that it goes on writing")
    assert "scratch room was full" in agent.serve("maq4")["message"]
    assert agent.release("maq4").status == 0
    assert host.state("maq4") == "running"
    host.virsh("destroy", "--domain=maq4")


def test_a_lease_that_a_reboot_left_is_ended_by_whoever_comes_next(host: KvmHost, agent: Agent) -> None:
    """Its machine comes up with the host; autostart is put back when another one is imaged."""
    host.define("maq3", {"vda": "raw"}, stubborn=True)
    host.boot("maq3")
    assert agent.freeze("maq3", shutdown_timeout_s=1).status == 5
    wait_until(lambda: not agent.journal("maq3"), "that the watcher keeps it")
    host.reboot()
    wait_until(lambda: host.state("maq3") == "running", "maq3, running")
    assert definition(host, "maq3")[1]
    assert agent.freeze("maq2").status == 0
    assert not definition(host, "maq3")[1]
    host.virsh("destroy", "--domain=maq3")
    host.boot("maq1")
