"""The survey of a stand-in host, parsed as the backup parses it."""

import json
import subprocess
import time

import pytest

from include.agent.survey import _other_backing
from include.vms.models import HostSurvey, Vm
from tests.include.agent.agent_on_host import Agent
from tests.site.kvm_host import KvmHost

_FOREIGN_BACKUP = """\
<domainbackup mode='pull'><server transport='unix' socket='/run/foreign.sock'/></domainbackup>
"""


def set_up(host: KvmHost) -> None:
    """One host with a VM that runs, and one that is off."""
    host.define_small("maq1", {"vda": "raw", "vdb": "qcow2"})
    host.define_small("maq2", {"vda": "qcow2"})
    host.virsh("start", "--domain=maq1")
    host.virsh("autostart", "--domain=maq2")


@pytest.fixture
def agent(host: KvmHost) -> Agent:
    """The agent on the host."""
    return Agent(host)


def survey(agent: Agent) -> HostSurvey:
    """Return the host's survey, validated as the backup validates it."""
    answer = agent.call("survey")
    assert answer.status == 0, answer
    return HostSurvey.model_validate(answer.output)


def surveyed(agent: Agent, name: str) -> Vm:
    """Return the survey of one VM."""
    (vm,) = [vm for vm in survey(agent).vms if vm.name == name]
    return vm


def image(host: KvmHost, vm: str, *options: str) -> None:
    """Replace a VM's disk by a new QCOW2 image of 64 MiB."""
    path = host.disk(vm, "vda")
    create = ["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "64M"]
    for last in (*[False] * 9, True):  # for encryption it times the CPU first, and fails on a busy one
        path.unlink(missing_ok=True)
        if subprocess.run(create, check=last).returncode == 0:
            return


def test_a_survey_has_the_host_and_its_vms(host: KvmHost, agent: Agent) -> None:
    """Libvirt's capabilities, the scratch space, and each VM with its disks."""
    result = survey(agent)
    assert (result.backup, result.scratch.path) == (True, agent.state)
    assert f"library: libvirt {result.libvirt}\n" in host.virsh("version")
    assert result.scratch.free_bytes > 0
    one, two = sorted(result.vms, key=lambda vm: vm.name)
    assert (one.state, one.autostart, one.persistent, one.problems) == ("running", False, True, ())
    assert (two.state, two.autostart, two.persistent, two.problems) == ("off", True, True, ())
    assert [(disk.name, disk.format, disk.bytes) for disk in one.disks] == [
        ("vda", "raw", 64 << 20),
        ("vdb", "qcow2", 64 << 20),
    ]
    path = host.disk("maq1", "vda")
    assert (one.disks[0].path, one.disks[0].chain) == (str(path), (str(path),))
    assert one.disks[0].allocated == path.stat().st_blocks * 512


def test_a_disk_is_surveyed_with_its_backing_files(host: KvmHost, agent: Agent) -> None:
    """The space it occupies includes theirs."""
    backing = host.folder / "below.raw"
    backing.write_bytes(b"x" * (1 << 20) + bytes((64 << 20) - (1 << 20)))
    image(host, "maq2", "-b", str(backing), "-F", "raw")
    (disk,) = surveyed(agent, "maq2").disks
    assert disk.chain == (str(host.disk("maq2", "vda")), str(backing))
    assert disk.allocated >= backing.stat().st_blocks * 512


def test_internal_snapshots_are_left_out(host: KvmHost, agent: Agent) -> None:
    """Only the disk's own file has them; and the survey has what the file was made with."""
    image(host, "maq2", "-o", "cluster_size=128k")
    host.virsh("snapshot-create-as", "--domain=maq2", "--name=before upgrade")
    vm = surveyed(agent, "maq2")
    host.virsh("snapshot-delete", "--domain=maq2", "--snapshotname=before upgrade")
    path = str(host.disk("maq2", "vda"))
    assert [one.phrase for one in vm.left_out] == [f"internal snapshots before upgrade ({path})"]
    assert vm.disks[0].qcow2 is not None
    assert vm.disks[0].qcow2.cluster_size == 1 << 17
    image(host, "maq2")


@pytest.mark.parametrize(
    ("defined", "header", "problems"),
    [
        ([], ["/a", "/b"], 0),
        (["/a"], ["/a", "/b"], 0),
        (["/a", "/b", ""], ["/a", "/b"], 0),
        ([""], [], 0),
        ([""], ["/a"], 1),
        (["/a", ""], ["/a", "/b"], 1),
        (["/a", "/b"], ["/a"], 1),
        (["/other"], ["/a"], 1),
        (["/proc/self/../../a"], ["/a"], 0),
    ],
)
def test_a_disk_with_two_chains_is_a_problem(defined: list[str], header: list[str], problems: int) -> None:
    """QEMU reads the one that libvirt has defined; a VM that is off would be read by the header."""
    assert len(_other_backing({"name": "vda", "path": "/x"}, defined, header)) == problems


@pytest.mark.slow
def test_a_disk_that_qemu_encrypted_is_a_problem(host: KvmHost, agent: Agent) -> None:
    """Only libvirt has the key, and without it the image is useless."""
    secret = ["--object", "secret,id=key,data=very-secret"]
    image(host, "maq2", *secret, "-o", "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10")
    vm = surveyed(agent, "maq2")
    assert vm.disks == ()
    assert "encrypted" in vm.problems[0]


def test_a_missing_disk_is_a_problem_of_its_vm_alone(host: KvmHost, agent: Agent) -> None:
    """The problem has qemu-img's error; the other VMs are surveyed as usual."""
    host.disk("maq2", "vda").unlink(missing_ok=True)
    vm = surveyed(agent, "maq2")
    assert "No such file or directory" in vm.problems[0]
    assert surveyed(agent, "maq1").problems == ()
    image(host, "maq2")


def test_a_disk_of_another_format_than_defined_is_a_problem(host: KvmHost, agent: Agent) -> None:
    """The format is taken from the definition, and never guessed."""
    host.disk("maq2", "vda").write_bytes(b"no qcow2" * 512)
    assert "not in qcow2 format" in surveyed(agent, "maq2").problems[0]
    image(host, "maq2")


def test_a_transient_vm_cant_be_backed_up(host: KvmHost, agent: Agent) -> None:
    """A shutdown would delete it."""
    file = host.folder / "transient.xml"
    file.write_text(host.virsh("dumpxml", "--domain=maq2").replace("maq2<", "maq9<"), encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    start, end = text.index("<uuid>"), text.index("</uuid>") + len("</uuid>")
    file.write_text(text[:start] + text[end:], encoding="utf-8")
    host.virsh("create", f"--file={file}", "--paused")
    vm = surveyed(agent, "maq9")
    host.virsh("destroy", "--domain=maq9")
    assert (vm.state, vm.persistent) == ("paused", False)
    assert "a shutdown would delete it" in vm.problems[0]


def test_foreign_jobs_are_problems(host: KvmHost, agent: Agent) -> None:
    """Here a block copy, and the backup of another tool."""
    job = ["blockcopy", "--domain=maq1", "--path=vda", f"--dest={host.folder}/copy", "--format=raw"]
    host.virsh(*job, "--transient-job")
    copied = surveyed(agent, "maq1").problems
    host.virsh("blockjob", "--domain=maq1", "--path=vda", "--abort")
    (host.folder / "backup.xml").write_text(_FOREIGN_BACKUP, encoding="utf-8")
    host.virsh("backup-begin", "--domain=maq1", f"--backupxml={host.folder}/backup.xml")
    backed_up = surveyed(agent, "maq1").problems
    host.virsh("domjobabort", "--domain=maq1")
    assert copied == ("A block job of vda is running (see virsh blockjob).",)
    assert backed_up[0] == "A job of libvirt is running on it: Backup (see virsh domjobinfo)."
    assert surveyed(agent, "maq1").problems == ()


@pytest.mark.slow
def test_an_open_backup_of_the_agent_isnt_a_problem(agent: Agent) -> None:
    """Otherwise a VM whose run died could never be backed up again."""
    assert agent.begin_backup("maq1", method="live").status == 0
    vm = surveyed(agent, "maq1")
    assert vm.problems == ()
    assert vm.open_backup is not None
    assert (vm.open_backup.run, vm.open_backup.step) == ("this week", "ready")
    assert agent.end_backup("maq1").status == 0
    assert surveyed(agent, "maq1").open_backup is None


def test_a_missing_scratch_folder_is_an_error(agent: Agent) -> None:
    """It is found before a run relies on it."""
    answer = agent.call("survey", "--scratch=/no/such/folder")
    assert (answer.status, answer.output["error"]) == (2, "UsageError")
    assert "/no/such/folder" in answer.output["message"]


def test_a_timer_that_fails_doesnt_fail_in_silence(host: KvmHost, agent: Agent) -> None:
    """The survey tells when it ran, as long as there is a reference; nothing else would."""
    assert survey(agent).reference_timer is None
    folder, noted = host.agents_folder / "vms" / agent.uuid("maq2"), host.agents_folder
    folder.mkdir(parents=True, exist_ok=True)
    label = {"folders": [str(host.folder / "gone")], "renewed": time.time()}
    (folder / "reference.json").write_text(json.dumps(label))
    try:
        assert (found := survey(agent).reference_timer)
        assert (found.every_s, found.last_run) == (30, None)
        assert agent.call("watch-references").status == 0
        assert (found := survey(agent).reference_timer)
        assert found.last_run
        assert found.warning("kvm_host") == ""
        file = noted / "references-timer.json"
        ran = json.loads(file.read_text())["ran"]
        file.write_text(json.dumps({"ran": {**ran, "since_boot_s": ran["since_boot_s"] - 86_400}}))
        assert (found := survey(agent).reference_timer)
        assert "before they fill the disks hasn't run on x for 24 h" in found.warning("x")
    finally:
        (folder / "reference.json").unlink()


def test_a_survey_writes_nothing(host: KvmHost) -> None:
    """Not even the state folder is made."""
    answer = Agent(host, "/run/not/made/yet").call("survey", request={})
    assert answer.status == 0
    assert host.run("sh", "-c", "ls -d /run/not || :") == ""
