"""The snapshot that the host's file system makes, with real guests whose disks lie on an XFS."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from include.agent.backup.cloned_disks import remove_left
from include.agent.state_folder import StateFolder
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive
from include.vms.models import Method
from tests.include.agent import agent_on_host
from tests.include.agent.agent_on_host import Agent, host_clones, wait_until
from tests.include.agent.backup.test_begin import COLD, definition, exported
from tests.include.agent.disks.test_clones import on
from tests.include.vms.folder_host import REQUEST, take
from tests.include.vms.sample_vms import verified
from tests.include.vms.test_chain import backup
from tests.session.needs import program
from tests.site import boot_sector
from tests.site.kvm_host import KvmHost
from tests.site.systemctl import systemctl

CLONED = [
    *("begin", "watchdog", "autostart", "work_folder", "clone_folders", "shutdown", "off"),
    *("clone", "start", "verify", "back", "sync", "ready"),
]


UUID = "11111111-2222-3333-4444-555555555555"


def set_up(host: KvmHost) -> None:
    """One host with a running VM, one with a disk that can't be cloned, and one that is off."""
    program("mkfs.xfs")
    host.mount_disks("xfs")
    host.define_small("maq1", {"vda": "raw", "vdb": "raw"})
    host.define_small("maq2", {"vda": "raw", "vdb": "qcow2"})
    host.define_small("maq3", {"vda": "raw"})
    host.boot("maq1")


def host_fault(host: KvmHost) -> str:
    """Return what is wrong with the host."""
    return agent_on_host.host_fault(host)


@pytest.fixture
def agent(host: KvmHost) -> Iterator[Agent]:
    """The agent on the host; after the test all backups are ended, and no clone is left."""
    yield (calls := Agent(host))
    for vm in filter(calls.journal, ("maq1", "maq2", "maq3")):
        assert calls.end_backup(vm).status == 0
    assert host_clones(host) == []
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")


def fill(filler: Path) -> None:
    """Take all the free space of a file system, to the last byte."""
    with filler.open("wb") as file:
        for step in (32 << 20, 1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), step)


@contextmanager
def written(disk: Path) -> Iterator[None]:
    """Write to a disk again and again during the block."""
    ended = threading.Event()

    def write() -> None:
        with disk.open("r+b", buffering=0) as file:
            while not ended.wait(0.001):
                file.seek(0)
                file.write(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def test_a_running_vms_disks_are_cloned_while_it_is_off(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """What is exported is the disk at that moment, whatever the guest writes later. No job holds the VM."""
    before = definition(host, "maq1")
    uuid = host.virsh("domuuid", "--domain=maq1").strip()
    host.seen(host.disks / f".inpe-backup-{uuid}-left").mkdir()  # by a backup whose journal is closed
    host.plan_fault("start", "stall")
    process = agent.start_begin_backup("maq1")
    wait_until(host.fault_happened, "the VM, off")
    at_stop = host.seen(host.disk("maq1", "vda")).read_bytes()
    host.go_on()
    assert process.wait(60) == 0
    begun = agent.begin_backup("maq1")
    assert (begun.steps, begun.output["cloned"], begun.output["method"]) == (CLONED, True, "cold")
    assert begun.output["not_cloned"] == ""
    [folder] = host_clones(host)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o400}
    host.boots("maq1")
    assert exported(host, "vda", tmp_path / "vda") == at_stop
    assert host.seen(host.disk("maq1", "vda")).read_bytes() != at_stop
    assert agent.end_backup("maq1").output["repaired"] == []
    assert (definition(host, "maq1"), host_clones(host)) == (before, [])


def test_what_is_left_beside_the_disks_is_removed_by_hand(host: KvmHost, agent: Agent) -> None:
    """Such as clones on a file system that wasn't mounted when their backup was ended."""
    left = host.seen(host.disks / f".inpe-backup-{agent.uuid('maq3')}-left")
    left.mkdir()
    assert agent.begin_backup("maq3").status == 0
    left.mkdir()  # the backup's beginning has removed it
    assert agent.end_backup("maq3", "--run=this week").status == 0
    assert host_clones(host) == [left]
    assert agent.end_backup("maq3").output["repaired"] == []
    assert host_clones(host) == []


@pytest.mark.slow
def test_if_one_disk_cant_be_cloned_none_is(host: KvmHost, agent: Agent) -> None:
    """Here one is QCOW2: QEMU holds all of them, which are of one instant."""
    host.boot("maq2")
    begun = agent.begin_backup("maq2")
    host.virsh("destroy", "--domain=maq2")
    assert (begun.steps, begun.output["cloned"]) == (COLD, False)
    assert begun.output["not_cloned"] == "vdb: qcow2, not a raw file"
    assert host_clones(host) == []


FALLEN_BACK = """
from include.agent.backup import cloned_disks
from include.agent.state_folder import StateFolder

vda = disk(there / "vda")
vm = {"problems": [], "disks": [vda], "unclonable": clones.refusal([vda])}
folder = StateFolder(str(elsewhere / "state")).of("11111111-2222-3333-4444-555555555555")
before = vm["unclonable"]
print(json.dumps([before, cloned_disks.are_possible(folder, vm, "running", "cold"), vm["unclonable"]]))
"""


def test_why_the_trial_failed_is_kept(tmp_path: Path) -> None:
    """For the record: the survey before had nothing against cloning."""
    found = on(tmp_path, "xfs", FALLEN_BACK, "-m", "reflink=0")
    assert found == ["", False, "vda: on a file system without reflink"]


@pytest.mark.slow
def test_a_vm_that_is_off_may_be_started_while_its_clones_are_read(
    host: KvmHost, agent: Agent, tmp_path: Path
) -> None:
    """That doesn't cost the image."""
    at_stop = host.seen(host.disk("maq3", "vda")).read_bytes()
    begun = agent.begin_backup("maq3")
    assert (begun.output["method"], begun.output["cloned"], begun.output["was"]) == ("offline", True, "off")
    host.boot("maq3")
    assert "disks" in agent.send("maq3")
    assert exported(host, "vda", tmp_path / "vda") == at_stop
    assert agent.end_backup("maq3").output["state"] == "running"
    host.virsh("destroy", "--domain=maq3")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["started", "written to"])
def test_what_changed_while_it_was_cloned_isnt_used(host: KvmHost, agent: Agent, what: str) -> None:
    """The VM runs, the clones are dropped, and the message says why."""
    host.plan_fault("clone", "stall")
    process = agent.start_begin_backup("maq1")
    wait_until(host.fault_happened, "the VM, off")
    with written(host.seen(host.disk("maq1", "vdb"))) if what == "written to" else nullcontext():
        if what == "started":
            host.boot("maq1")
        host.go_on()
        output, _ = process.communicate()
    refused = json.loads(output)
    assert (process.returncode, refused["error"]) == (6, "BackupNotBegunError")
    assert (
        "maq1 was started, or a disk written to or replaced, while its disks were cloned"
        in refused["message"]
    )
    assert host.state("maq1") == "running"
    wait_until(lambda: not agent.left_behind(), "nothing left")
    assert host_clones(host) == []


@pytest.mark.slow
def test_what_isnt_its_disk_any_more_isnt_used(host: KvmHost, agent: Agent) -> None:
    """An external snapshot puts another file in its place, which has all later writes."""
    before, disk = host.virsh("dumpxml", "--domain=maq1", "--inactive"), host.disk("maq1", "vdb")
    other = disk.with_name("maq1.other")
    host.run("cp", str(disk), str(other))
    host.plan_fault("clone", "stall")
    process = agent.start_begin_backup("maq1")
    wait_until(host.fault_happened, "the VM, off")
    define(host, before.replace(str(disk), str(other)))
    host.go_on()
    output, _ = process.communicate()
    try:
        assert (process.returncode, host.state("maq1")) == (6, "running")
        assert (
            "or a disk written to or replaced, while its disks were cloned" in json.loads(output)["message"]
        )
    finally:
        host.virsh("destroy", "--domain=maq1")
        define(host, before)
        host.boot("maq1")
        host.run("rm", str(other))


def define(host: KvmHost, xml: str) -> None:
    """Change a VM's definition."""
    file = host.folder / "definition.xml"
    file.write_text(xml)
    host.virsh("define", f"--file={file}")


@pytest.mark.slow
def test_a_full_file_system_costs_the_image_and_not_the_vm(host: KvmHost, agent: Agent) -> None:
    """Here it fills up between the trial and the clone; and then while the clones are read."""
    filler = host.seen(host.disks) / "filler"
    host.plan_fault("off", "stall")
    process = agent.start_begin_backup("maq1")
    wait_until(host.fault_happened, "the VM, off")
    fill(filler)
    host.go_on()
    output, _ = process.communicate()
    assert (process.returncode, host.state("maq1")) == (6, "running"), output
    assert "The file system of its disks is nearly full" in json.loads(output)["message"]
    wait_until(lambda: not agent.left_behind(), "nothing left")
    filler.unlink()
    assert agent.begin_backup("maq1", run="next week").status == 0
    fill(filler)
    wait_until(lambda: host_clones(host) == [], "no clones")
    filler.unlink()
    assert "scratch space was full" in agent.send("maq1", "next week")["message"]
    assert host.state("maq1") == "running"


@pytest.mark.slow
def test_clones_become_a_generation_like_any_other_snapshot(
    host: KvmHost, agent: Agent, tmp_path: Path
) -> None:
    """Its record says how the snapshot was made; a week later only changes are sent."""
    vault = Vault.create(tmp_path / "vault")
    for run in ("first", "second"):
        wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
        take(backup(host, vault, run))
        wait_until(lambda: not agent.left_behind(), "nothing left")  # the watchdog ends by itself
    first, second = VmArchive(vault).of("maq1")
    assert verified(first)
    assert verified(second)
    assert (first.record.cloned, first.record.method, second.record.base) == (True, "cold", first.name)
    booted = [boot_sector.boots(generation.image("vda").read_bytes()) for generation in (first, second)]
    assert booted[0] + 1 == booted[1]


@pytest.fixture
def systemd(host: KvmHost) -> Iterator[None]:
    """The host as one with systemd."""
    program("systemctl")
    with systemctl(host):
        yield


def take_with(host: KvmHost, agent: Agent, vault: Vault, run: str, method: Method = "cold") -> PublishedVm:
    """Back maq1 up once it is up, as a run does, and return the generation."""
    wait_until(lambda: "guest: ready" in host.console("maq1"), "maq1, ready")
    made = backup(host, vault, run)
    begun = made.begin_backup(REQUEST.model_copy(update={"run": run, "method": method}))
    made.transfer(begun)
    made.verify(begun)
    made.publish(begun)
    made.end_backup()
    wait_until(lambda: not agent.journal("maq1"), "its end")
    return VmArchive(vault).of("maq1")[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("systemd")
def test_a_week_later_only_what_changed_is_read(host: KvmHost, agent: Agent, tmp_path: Path) -> None:
    """The guest wrote to its disk meanwhile. Its clones stay until the backup is ended by hand."""
    vault = Vault.create(tmp_path / "vault")
    first, second = (take_with(host, agent, vault, run) for run in ("first", "second"))
    assert (verified(first), verified(second)) == (True, True)
    booted = [boot_sector.boots(one.image("vda").read_bytes()) for one in (first, second)]
    assert booted[0] + 1 == booted[1]
    assert [disk.doubt for disk in second.record.disks] == ["", ""]
    assert sum(disk.carried_bytes for disk in second.record.disks) > 0
    assert [vm["name"] for vm in agent.call("survey").output["vms"] if vm["has_reference"]] == ["maq1"]
    assert agent.end_backup("maq1").status == 0
    assert host_clones(host) == []
    third = take_with(host, agent, vault, "third")
    assert third.record.disks[0].doubt.endswith("its backup was ended by hand")
    agent.call("drop-reference", agent.uuid("maq1"))


WITHOUT_LIBVIRT = """
from include.agent.backup import cloned_disks, watchdog_process
from include.agent.backup.steps import Steps
from include.agent.errors import LibvirtError
from include.agent.state_folder import StateFolder
from include.agent.virsh import Virsh

class Off(Virsh):
    def is_active(self, uuid):
        return False

state = StateFolder(str(elsewhere / "state"))
state.make()
folder = state.of("11111111-2222-3333-4444-555555555555")
folder.make()
vda = {**disk(there / "vda"), "chain": [str(there / "vda")]}
steps, work, virsh = Steps(folder.journal), folder.new_work_folder(None), Off("qemu:///nowhere")
steps.begin("begin", run="r", vm="maq1", was="running", method="cold", work_folder=str(work))
folder.make_work_folder(work)
made = cloned_disks.ClonedDisks(folder, [vda])
made.make_folders(steps)
assert made.make(lambda: True)
made.sync()
made.export(work)
steps.begin("ready", work_folder=str(work), method="cold", cloned=True)
try:
    with (there / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, os.statvfs(there).f_bavail * 4096 - (4 << 20))
    try:
        watchdog_process.Watchdog(state, folder, virsh, 60).check()
    except LibvirtError:
        pass
    server = cloned_disks.exports._pids_with(f"{work}/")
finally:
    cloned_disks.exports.end_processes(str(work))
print(json.dumps([len(server), [path.name for path in there.iterdir()]]))
"""


def test_clones_give_their_space_back_while_libvirt_is_away(short: Path) -> None:
    """A server that has a removed clone open would keep its blocks, and guests would be paused."""
    servers, left = on(short, "xfs", WITHOUT_LIBVIRT)
    assert (servers, sorted(left)) == (0, ["filler", "vda"])


def test_what_a_closed_journal_doesnt_name_is_removed(tmp_path: Path) -> None:
    """A file system mounted late, or a power cut, brings clones back. What isn't a clone of this VM stays."""
    folder = StateFolder(str(tmp_path / "state")).of(UUID)
    names = [*(f".inpe-backup-{UUID}-{what}" for what in ("left", "used", "disk")), ".inpe-backup-other-left"]
    left, used, disk, other = (tmp_path / name for name in names)
    for path, mode in ((left, 0o400), (used, 0o600), (disk, 0o400), (other, 0o400)):
        path.mkdir()
        (path / "vda.clone").touch(mode=mode)
    disks = [{"kind": "file", "path": str(path)} for path in (tmp_path / "vda", disk / "vda.clone")]
    assert remove_left(folder, disks) == []
    assert [path.exists() for path in (left, used, disk, other)] == [False, True, True, True]
