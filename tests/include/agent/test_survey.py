"""What a real host is found to have: its facts are those that the backup's side takes."""

import subprocess
from collections.abc import Iterator

import pytest

from include.machines.facts import Machine, Survey
from tests.include.agent.on_host import Agent
from tests.site.kvm_host import KvmHost

pytestmark = pytest.mark.xdist_group("kvm")

_SOMEBODYS_BACKUP = """\
<domainbackup mode='pull'><server transport='unix' socket='/run/somebody.sock'/></domainbackup>
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvmHost]:
    """One host with a machine that runs, and one that is off."""
    with KvmHost(tmp_path_factory.mktemp("kvm")) as running:
        running.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
        running.define_small("maq2", {"vda": "qcow2"})
        running.virsh("start", "--domain=maq1")
        running.virsh("autostart", "--domain=maq2")
        yield running


@pytest.fixture
def agent(host: KvmHost) -> Agent:
    """The agent there."""
    return Agent(host)


def survey(agent: Agent) -> Survey:
    """Look at the host; the answer is checked as it is at the door."""
    answer = agent.call("survey", request={"scratch": None})
    assert answer.status == 0, answer
    return Survey.model_validate(answer.said)


def found(agent: Agent, name: str) -> Machine:
    """Give what is found of one machine."""
    (machine,) = [machine for machine in survey(agent).machines if machine.name == name]
    return machine


def image(host: KvmHost, machine: str, *options: str) -> None:
    """Put another disk in the place of a machine's; it is of 64 MiB and of the format qcow2."""
    path = host.disk(machine, "vda")
    create = ["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "64M"]
    for last in (*[False] * 9, True):  # before it encrypts it measures the CPU; on a busy one it gives up
        path.unlink(missing_ok=True)
        if subprocess.run(create, check=last).returncode == 0:
            return


def test_a_host_is_told_with_its_machines(host: KvmHost, agent: Agent) -> None:
    """What it can do, where there's room, and each machine with its disks."""
    told = survey(agent)
    assert (told.backup, told.scratch.path) == (True, agent.state)
    assert f"library: libvirt {told.libvirt}\n" in host.virsh("version")
    assert told.scratch.free_bytes > 0
    one, two = sorted(told.machines, key=lambda machine: machine.name)
    assert (one.state, one.autostart, one.persistent, one.problems) == ("running", False, True, ())
    assert (two.state, two.autostart, two.persistent, two.problems) == ("off", True, True, ())
    assert [(disk.name, disk.format, disk.bytes) for disk in one.disks] == [
        ("vda", "raw", 64 << 20),
        ("vdb", "qcow2", 64 << 20),
    ]
    path = host.disk("maq1", "vda")
    assert (one.disks[0].path, one.disks[0].chain) == (str(path), (str(path),))
    assert one.disks[0].allocated == path.stat().st_blocks * 512


def test_a_disk_on_top_of_others_is_told_with_them(host: KvmHost, agent: Agent) -> None:
    """What it takes is what all of them take."""
    below = host.folder / "below.raw"
    below.write_bytes(b"x" * (1 << 20) + bytes((64 << 20) - (1 << 20)))
    image(host, "maq2", "-b", str(below), "-F", "raw")
    (disk,) = found(agent, "maq2").disks
    assert disk.chain == (str(host.disk("maq2", "vda")), str(below))
    assert disk.allocated >= below.stat().st_blocks * 512


def test_a_disk_that_qemu_encrypted_cant_be_read(host: KvmHost, agent: Agent) -> None:
    """Its key is libvirt's, and the image would be of no use without it."""
    secret = ["--object", "secret,id=key,data=very-secret"]
    image(host, "maq2", *secret, "-o", "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10")
    machine = found(agent, "maq2")
    assert machine.disks == ()
    assert "encrypted" in machine.problems[0]


def test_a_disk_that_isnt_there_is_a_problem_of_its_machine_alone(host: KvmHost, agent: Agent) -> None:
    """With qemu-img's words; the others are told as ever."""
    host.disk("maq2", "vda").unlink(missing_ok=True)
    machine = found(agent, "maq2")
    assert "No such file or directory" in machine.problems[0]
    assert found(agent, "maq1").problems == ()
    image(host, "maq2")


def test_a_disk_of_another_format_than_defined_is_a_problem(host: KvmHost, agent: Agent) -> None:
    """The definition counts, and nothing is guessed."""
    host.disk("maq2", "vda").write_bytes(b"no qcow2" * 512)
    assert "not in qcow2 format" in found(agent, "maq2").problems[0]
    image(host, "maq2")


def test_a_machine_without_a_definition_isnt_stopped(host: KvmHost, agent: Agent) -> None:
    """Once stopped, it would be gone."""
    file = host.folder / "transient.xml"
    file.write_text(host.virsh("dumpxml", "--domain=maq2").replace("maq2<", "maq9<"), encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    start, end = text.index("<uuid>"), text.index("</uuid>") + len("</uuid>")
    file.write_text(text[:start] + text[end:], encoding="utf-8")
    host.virsh("create", f"--file={file}", "--paused")
    machine = found(agent, "maq9")
    host.virsh("destroy", "--domain=maq9")
    assert (machine.state, machine.persistent) == ("paused", False)
    assert "once stopped, it would be gone" in machine.problems[0]


def test_what_somebody_else_does_to_a_disk_is_a_problem(host: KvmHost, agent: Agent) -> None:
    """A copy of it that runs; another tool's backup."""
    job = ["blockcopy", "--domain=maq1", "--path=vda", f"--dest={host.folder}/copy", "--format=raw"]
    host.virsh(*job, "--transient-job")
    copied = found(agent, "maq1").problems
    host.virsh("blockjob", "--domain=maq1", "--path=vda", "--abort")
    (host.folder / "backup.xml").write_text(_SOMEBODYS_BACKUP, encoding="utf-8")
    host.virsh("backup-begin", "--domain=maq1", f"--backupxml={host.folder}/backup.xml")
    backed_up = found(agent, "maq1").problems
    host.virsh("domjobabort", "--domain=maq1")
    assert copied == ("A block job of vda is running (virsh blockjob tells which).",)
    assert backed_up[0] == "libvirt is at work on it: Backup (virsh domjobinfo)."
    assert found(agent, "maq1").problems == ()


def test_what_a_freeze_of_ours_left_is_told_and_no_problem(agent: Agent) -> None:
    """Or a machine that a dead run left frozen would never be imaged again."""
    assert agent.freeze("maq1", method="live").status == 0
    machine = found(agent, "maq1")
    assert machine.problems == ()
    assert machine.frozen is not None
    assert (machine.frozen.run, machine.frozen.step) == ("this week", "ready")
    assert agent.release("maq1").status == 0
    assert found(agent, "maq1").frozen is None


def test_a_scratch_folder_that_isnt_there_is_told(agent: Agent) -> None:
    """Before a run relies on it."""
    answer = agent.call("survey", request={"scratch": "/no/such/folder"})
    assert (answer.status, answer.said["error"]) == (2, "UsageError")
    assert "/no/such/folder" in answer.said["message"]


def test_to_look_makes_nothing(host: KvmHost) -> None:
    """Not even the agent's own folder."""
    nobody = Agent(host, "/run/not/made/yet").call("survey", request={})
    assert nobody.status == 0
    assert host.run("sh", "-c", "ls -d /run/not || :") == ""
