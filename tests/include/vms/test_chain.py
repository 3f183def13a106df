"""VMs of a real libvirt are backed up step by step, and one boots from its image."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from include.config.vms import HealthChecks
from include.errors import (
    ImageGoneError,
    VmNotBackError,
    VmNotImagedError,
    VmNotPossibleError,
    VmNotStoppedError,
    VmWithheldError,
)
from include.vault.vault import Vault
from include.vms.archive import PublishedVm, VmArchive, to_the_second
from include.vms.backup import VmBackup
from include.vms.host import Host
from tests.include.agent.agent_on_host import wait_until
from tests.include.project_process import environment
from tests.include.vms.exported_disks import transport
from tests.include.vms.folder_host import REQUEST, take
from tests.include.vms.sample_vms import names, verified
from tests.site.kvm_host import STATE, URI, KvmHost


def set_up(host: KvmHost) -> None:
    """Define a VM that shuts down when asked, and one that doesn't."""
    host.define("maq1", {"vda": "raw", "vdb": "qcow2"})
    host.define_small("maq3", {"vda": "raw"}, stubborn=True)
    host.boot("maq1")
    host.boot("maq3")


@pytest.fixture
def kvm(host: KvmHost) -> KvmHost:
    """The stand-in host; ``Host`` is how the backup sees it."""
    return host


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """The vault of all tests in this module."""
    return Vault.create(tmp_path_factory.mktemp("vault") / "vault")


@pytest.fixture(autouse=True)
def _ready(kvm: KvmHost) -> None:
    """Wait until the VM is up and reacts to its power button."""
    wait_until(lambda: "guest: ready" in kvm.console("maq1"), "maq1, ready")


def host_of(kvm: KvmHost, scratch: str | None = None) -> Host:
    """Return the host as the backup sees it."""
    return Host(transport(kvm.connection), URI, STATE, scratch)


def backup(kvm: KvmHost, vault: Vault, run: str, vm: str = "maq1") -> VmBackup:
    """Return the backup of a VM."""
    return VmBackup(vault, host_of(kvm), vm, uuid(kvm, vm), run, 0, print)


def uuid(kvm: KvmHost, vm: str = "maq1") -> str:
    """Return the UUID of a VM."""
    return kvm.virsh("domuuid", f"--domain={vm}")


def boots(console: str) -> int:
    """Return how many times a guest has booted, by its own count."""
    (count,) = re.findall(r"guest: boot (\d+)", console)
    return int(count)


def boots_in(generation: PublishedVm) -> int:
    """Return how many times the guest in an image had booted."""
    cat = ["debugfs", "-R", "cat /boots", str(generation.image("vda"))]
    return int(subprocess.run(cat, capture_output=True, check=True).stdout)


def left(kvm: KvmHost) -> list[Path]:
    """Return what backups have left on the host."""
    return [*kvm.agents_folder.glob("x-*"), *kvm.agents_folder.glob("vms/*/journal.jsonl")]


def test_a_vm_is_backed_up_and_a_week_later_only_its_changes(kvm: KvmHost, vault: Vault) -> None:
    """It is down for seconds and runs again; its file system is clean; the second backup is incremental.

    That one has ended on the host before its image is verified.
    """
    survey = host_of(kvm).survey()
    found = {vm.name: (vm.state, vm.problems) for vm in survey.vms}
    assert found == {"maq1": ("running", ()), "maq3": ("running", ())}
    before = boots(kvm.console("maq1"))
    for run in ("first", "second"):
        wait_until(lambda: "guest: ready" in kvm.console("maq1"), "maq1, ready")
        one = backup(kvm, vault, run)
        begun = one.begin_backup(REQUEST.model_copy(update={"run": run}))
        one.transfer(begun)
        assert bool(left(kvm)) == (run == "first")
        one.verify(begun)
        one.end_backup()
        one.publish(begun)
        assert (kvm.state("maq1"), left(kvm)) == ("running", [])
    first, second = VmArchive(vault).of("maq1")
    assert verified(first)
    assert verified(second)
    assert (boots_in(first), boots_in(second)) == (before, before + 1)
    for generation in (first, second):
        record = generation.record
        assert (record.method, record.was, record.stopped) == ("cold", "running", "by itself")
        assert 0 < record.downtime_s < 60
        assert record.disks[0].filesystems[0].clean
        assert {"domain.xml", "record.json", "SHA256SUMS"} <= set(names(generation.folder))
        assert {disk.name: disk.source_format for disk in record.disks} == {"vda": "raw", "vdb": "qcow2"}
        subprocess.run(["e2fsck", "-fn", generation.image("vda")], capture_output=True, check=True)
    assert second.record.base == first.name
    sent = [disk.sent_bytes for generation in (first, second) for disk in generation.record.disks]
    assert sent[0] > sent[2] > 0 == sent[3] < sent[1], sent


# Begins a backup as its task does, in a process that can be killed.
_BEGIN = """
import json, sys
from include.vms.host import Host
from tests.include.vms.folder_host import REQUEST
from tests.include.vms.exported_disks import transport
connection, uri, state, uuid, run = json.loads(sys.argv[1])
Host(transport(connection), uri, state, None).begin_backup(uuid, REQUEST.model_copy(update={"run": run}))
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_during_and_between_steps_stops_the_vm_once(
    kvm: KvmHost, vault: Vault
) -> None:
    """The host continues; a repeated step finds the same backup and resumes."""
    before, run = boots(kvm.console("maq1")), "killed"
    request = REQUEST.model_copy(update={"run": run})
    arguments = json.dumps([kvm.connection, URI, STATE, uuid(kvm), run])
    worker = subprocess.Popen([sys.executable, "-c", _BEGIN, arguments], env=environment())
    journal = kvm.agents_folder / "vms" / uuid(kvm) / "journal.jsonl"
    wait_until(lambda: journal.exists() and '"shutdown"' in journal.read_text(), "the shutdown")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    begun = backup(kvm, vault, run).begin_backup(request)
    second = backup(kvm, vault, run).begin_backup(request)
    assert abs(second.clock_offset_s) < 5  # one clock; it is measured anew
    assert second.model_copy(update={"clock_offset_s": begun.clock_offset_s}) == begun
    first = backup(kvm, vault, run).transfer(begun)
    assert backup(kvm, vault, run).transfer(begun) == first
    draft = backup(kvm, vault, run).verify(begun)
    again = backup(kvm, vault, run).begin_backup(request)
    assert (again.instant_at_vault, again.disks) == (to_the_second(begun.instant_at_vault), begun.disks)
    for _ in range(2):
        backup(kvm, vault, run).end_backup()
        assert backup(kvm, vault, run).publish(begun) == draft
    wait_until(lambda: "guest: boot" in kvm.console("maq1"), "maq1, booted")
    assert boots(kvm.console("maq1")) == before + 1
    assert verified(VmArchive(vault).of("maq1")[-1])
    assert left(kvm) == []


def test_disks_cant_be_transferred_after_the_backup_was_ended(kvm: KvmHost, vault: Vault) -> None:
    """Nothing is left in staging."""
    ended = backup(kvm, vault, "ended")
    begun = ended.begin_backup(REQUEST.model_copy(update={"run": "ended"}))
    ended.end_backup()
    with pytest.raises(ImageGoneError, match="No backup of this VM is open"):
        ended.transfer(begun)
    assert not VmArchive(vault).staged("maq1").folder.exists()


@pytest.mark.slow
def test_failures_on_the_host_raise_their_own_errors(kvm: KvmHost) -> None:
    """A guest that doesn't stop, a missing folder, a VM that isn't seen to run again."""
    host, request = host_of(kvm), REQUEST.model_copy(update={"run": "fails"})
    with pytest.raises(VmNotStoppedError, match=r"maq3 didn't shut down within 1 s.*\(host kvm_host\)"):
        host.begin_backup(uuid(kvm, "maq3"), request.model_copy(update={"shutdown_timeout_s": 1}))
    host.end_backup(uuid(kvm, "maq3"), "fails")
    with pytest.raises(VmNotPossibleError, match=r"This host has no folder /no/such/folder"):
        host.begin_backup(uuid(kvm), request.model_copy(update={"scratch": "/no/such/folder"}))
    host.end_backup(uuid(kvm), "fails")
    hasty = {"method": "copy", "watchdog_s": 14}
    with pytest.raises(VmNotImagedError, match=r"The backup of maq1 couldn't be started: .*The VM runs"):
        host.begin_backup(uuid(kvm), request.model_copy(update=hasty))
    host.end_backup(uuid(kvm), "fails")
    nobody = HealthChecks(address="127.0.0.1", ports=(1,), timeout_s=1)
    with pytest.raises(VmNotBackError, match="still no sign of: TCP port 1"):
        host.begin_backup(uuid(kvm), request.model_copy(update={"health_check": nobody}))
    with pytest.raises(VmWithheldError, match="maq1 didn't come back in this run"):
        host.begin_backup(uuid(kvm, "maq3"), request)
    assert host.end_backup(uuid(kvm), "fails").state == "running"
    assert left(kvm) == []


@pytest.mark.slow
def test_a_vm_boots_from_the_vault_on_another_host(
    kvm: KvmHost, vault: Vault, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With cp, a text editor and virsh, as the README describes."""
    if not VmArchive(vault).of("maq1"):
        take(backup(kvm, vault, "to restore"))
    generation = VmArchive(vault).of("maq1")[-1]
    with KvmHost(tmp_path_factory.mktemp("other")) as other:
        definition = generation.file("domain.xml").read_text()
        for disk in generation.record.disks:
            target = other.disk("maq1", disk.name)
            target.parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "--sparse=always", generation.image(disk.name), target], check=True)
            target.chmod(0o600)
        edited = definition.replace(str(kvm.folder), str(other.folder)).replace("type='qcow2'", "type='raw'")
        (other.folder / "consoles").mkdir()
        (other.folder / "domain.xml").write_text(edited)
        other.virsh("define", f"--file={other.folder / 'domain.xml'}")
        other.boot("maq1")
        assert boots(other.console("maq1")) == boots_in(generation) + 1
        assert uuid(other) == uuid(kvm) == generation.record.uuid
